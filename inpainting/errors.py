"""The error for bad input: one sentence that names the file or key and what to type instead."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps


class InputError(ValueError):
    """What the user gave cannot be used."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """Print an InputError alone, without a traceback, and exit with status 2.

    Hydra wraps what a constructor raises, so the chain of causes is searched.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__cause__
        if cause is None:
            raise
        print(f"error: {cause}", file=sys.stderr)
        sys.exit(2)


def exits_with_one_sentence(function: Callable) -> Callable:
    """`one_sentence` as a decorator."""

    @wraps(function)
    def wrapped(*args, **kwargs):
        with one_sentence():
            return function(*args, **kwargs)

    return wrapped
