"""The error for bad input: one sentence that names the file or key and what to type instead."""


class InputError(ValueError):
    """What the user gave cannot be used; entry points print the message alone and exit with 2."""
