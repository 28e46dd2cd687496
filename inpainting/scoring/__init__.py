"""Scoring completions by eye."""
