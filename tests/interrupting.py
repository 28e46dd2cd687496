"""Interrupts a training in this process at a moment that the test chooses."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from inpainting.data.base import InpaintingDataModule
from inpainting.methods.base import Inpainter

# Where a training can be: what it calls there, on what.
PLACES = {
    "start": (InpaintingDataModule, "setup"),
    "batch": (Inpainter, "on_train_batch_start"),
    "validation": (Inpainter, "validation_step"),
    "test": (Inpainter, "test_step"),
}


class Killed(BaseException):
    """Ends a training as kill -9 would: no handler of ours expects it."""


def kill() -> None:
    """Leave everything as it is."""
    raise Killed


def send(number: signal.Signals) -> Callable[[], None]:
    """Return what sends a signal to this process."""
    return lambda: os.kill(os.getpid(), number)


@contextmanager
def at(place: str, count: int, does: Callable[[], None]) -> Iterator[None]:
    """Call `does` as the training gets to a place for the n-th time."""
    owner, name = PLACES[place]
    original, calls = getattr(owner, name), [0]

    def counted(self, *arguments, **options):
        calls[0] += 1
        if calls[0] == count:
            does()
        return original(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, counted)
        yield
    assert calls[0] >= count, f"the training had {calls[0]} of {place}, not {count}"


@contextmanager
def interrupted(place: str, count: int, does: Callable[[], None]) -> Iterator[pytest.ExceptionInfo]:
    """Call `does`, which must end the command."""
    with pytest.raises((Killed, SystemExit)) as ended, at(place, count, does):
        yield ended
