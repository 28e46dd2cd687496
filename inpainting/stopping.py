"""Ctrl-C and signals: a training stops between two batches, everything else stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(SystemExit):
    """A signal stopped the command; the exit status is the one that shells give.

    Args:
        signum: number of the signal
    """

    def __init__(self, signum: int):
        super().__init__(128 + signum)
        self.signum = signum


@dataclass
class Signals:
    """What signals have asked of this process.

    Args:
        patient: True while the process looks here after each step and stops by itself; False while
            a signal stops it at once. Ctrl-C pressed twice always stops it at once.
        stop: number of the signal that asked it to stop; 0 if none did
        save: True after a SIGUSR1, which asks for a checkpoint
        save_stops: True if SIGUSR1 asks to stop as well
    """

    patient: bool = False
    stop: int = 0
    save: bool = False
    save_stops: bool = False

    def note(self, signum: int, _: Any = None) -> None:
        """Handle a signal.

        Raises:
            Stopped: the process must stop at once.
        """
        if signum == signal.SIGUSR1 and not self.save_stops:
            self.save = True
            return
        again = signum == self.stop == signal.SIGINT
        if not self.patient or again:
            raise Stopped(signum)
        self.stop = self.stop or signum

    def handle(self) -> None:
        """Install the handlers; once more after Lightning has put its own around them.

        Lightning's handler talks to the other processes from wherever the signal finds this one,
        which can mix up their messages.
        """
        for number in (*STOPPING, signal.SIGUSR1):
            signal.signal(number, self.note)


signals = Signals()


@contextmanager
def stops_by_signal() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and SIGUSR1 into what `Signals` says while the block runs.

    By itself Lightning waits for the end of a training batch even in a validation that samples for
    minutes, and in a test for the end of all. Nothing is lost by stopping at once: files are
    replaced whole.
    """
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGUSR1)}
    signals.__init__()
    signals.handle()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
