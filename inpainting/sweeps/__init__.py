"""Sweeps: many trainings from one command."""
