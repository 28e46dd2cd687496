"""Filling the holes of any image with a method that is loaded by its name."""
