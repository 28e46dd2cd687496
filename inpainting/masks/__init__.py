"""Kinds of hole: small callables that draw one hole for each image, in batches, on the device."""
