"""Callbacks of the trainer, a file each."""
