"""Kinds of hole: callables that draw one mask for each image of a batch, on the device."""
