"""Scoring of completions by eye."""
