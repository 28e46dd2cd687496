"""Errors for the user: one sentence that names the file or key and says what to type."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any


class InputError(ValueError):
    """A setting or file of the user cannot be used; the exit status is 2."""

    status = 2


def check_whole(key: str, value: object, least: int, most: int | None = None) -> None:
    """Raise an error unless `value` is a whole number within bounds.

    Args:
        key: the full key of the setting, for the error message
        value: the value to check
        least: smallest value allowed
        most: largest value allowed; None is no limit

    Raises:
        InputError: `value` is not an int or is out of bounds.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)  # a bool is an int to Python
    if not whole or value < least or (most is not None and value > most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise InputError(f"{key}={value}: type a whole number{bounds}")


def check_choice(key: str, value: object, choices: Sequence[str]) -> None:
    """Raise an error unless `value` is one of the choices.

    Args:
        key: the full key of the setting, for the error message
        value: the value to check
        choices: the values allowed

    Raises:
        InputError: `value` is another one.
    """
    if value not in choices:
        raise InputError(f"{key}={value}: type {' or '.join(choices)}")


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the exit status is 1."""

    status = 1


def is_first_process() -> bool:
    """Return False in processes that Lightning, torchrun or SLURM start for further devices."""
    return all(os.environ.get(key, "0") == "0" for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


class DiskError(RuntimeError):
    """Nothing more can be written; the exit status is 1."""

    status = 1


NOTHING_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def for_the_user(error: BaseException) -> InputError | NonFiniteLossError | DiskError | None:
    """Return the first error of this module among `error` and its causes, or None.

    Hydra wraps the errors of the objects it instantiates. A disk that is full, or that cannot be
    written to, is no fault of the program, wherever it is found.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (InputError, NonFiniteLossError, DiskError)):
            return cause
        if isinstance(cause, OSError) and cause.errno in NOTHING_WRITTEN:
            where = f" to {cause.filename}" if cause.filename else ""
            return DiskError(
                f"nothing can be written{where} ({cause.strerror}): make room there, or type "
                "another folder; what was written whole before is kept"
            )
        cause = cause.__cause__
    return None


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error of this module into one line on stderr, without a traceback, and exit.

    Raises:
        SystemExit: the block raised `InputError` (status 2), `NonFiniteLossError` or an error of a
            full disk (status 1), or Ctrl-C ended it (status 130).
    """
    try:
        yield
    except KeyboardInterrupt:  # before or without the handlers of `inpainting.stopping`
        print("stopped", file=sys.stderr)
        sys.exit(130)  # the status that shells give
    except Exception as error:
        cause = for_the_user(error)
        if cause is None:
            raise
        # Extra processes print too: an error found only there would otherwise end all in silence.
        prefix = "error" if is_first_process() else "error in a further process"
        print(f"{prefix}: {cause}", file=sys.stderr)
        sys.exit(cause.status)


def exits_with_one_sentence(function: Callable) -> Callable:
    """Decorate a function so that it runs inside `one_sentence`."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with one_sentence():
            return function(*args, **kwargs)

    return wrapped
