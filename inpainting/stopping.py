"""Stops a command at SIGTERM as Ctrl-C would: at once, wherever it is."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TERMINATED = 128 + signal.SIGTERM  # the exit status that shells give


@contextmanager
def stops_at_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit while the block runs.

    By itself Lightning waits for the end of a training batch, which a validation that samples for
    minutes does not reach, and in a test for the end of all. It calls this handler too, after it
    has passed the signal on to its further processes. Nothing is lost by stopping within a batch:
    files are replaced whole, and a resume repeats the epoch.
    """

    def stop(*_: Any) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
