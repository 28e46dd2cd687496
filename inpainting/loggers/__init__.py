"""Loggers of the trainer, a file each."""
