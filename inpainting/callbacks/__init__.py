"""Callbacks of the trainer, one per file."""
