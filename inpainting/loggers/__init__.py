"""Loggers of the trainer, one per file."""
