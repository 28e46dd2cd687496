"""Runs on disk: their folders, checkpoints and results, and collecting them for reports."""
