"""Runs on the disk: their folders, checkpoints, results, and finding them again."""
