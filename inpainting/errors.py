"""Errors that are for the user: one sentence that names the file or key and what to type."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


class InputError(ValueError):
    """What the user gave cannot be used."""

    status = 2


def check_whole(key: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is not a whole number within these bounds.

    Raises:
        InputError: names the key.
    """
    if not isinstance(value, int) or value < least or (most is not None and value > most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise InputError(f"{key}={value}: type a whole number{bounds}")


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite."""

    status = 1


def is_first_process() -> bool:
    """False in the further processes that Lightning, torchrun or SLURM start for more devices."""
    return all(os.environ.get(key, "0") == "0" for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def for_the_user(error: BaseException) -> InputError | NonFiniteLossError | None:
    """The error of this module among an error and its causes: Hydra wraps what it builds."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (InputError, NonFiniteLossError)):
        cause = cause.__cause__
    return cause


@contextmanager
def one_sentence() -> Iterator[None]:
    """Print one of the errors above alone, without a traceback, and exit with its status."""
    try:
        yield
    except Exception as error:
        cause = for_the_user(error)
        if cause is None:
            raise
        # Never in silence: what only a further process finds would end the others without a word.
        which = "error" if is_first_process() else "error in a further process"
        print(f"{which}: {cause}", file=sys.stderr)
        sys.exit(cause.status)


def exits_with_one_sentence(function: Callable) -> Callable:
    """`one_sentence` as a decorator."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with one_sentence():
            return function(*args, **kwargs)

    return wrapped
