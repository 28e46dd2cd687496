"""Preparation of data sets: decoded, searched for people, divided and written once."""
