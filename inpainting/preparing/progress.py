"""Progress of a long preparation: stage, rate and time left, in a terminal or in the log."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

log = logging.getLogger(__name__)

EVERY = 60  # seconds between two lines of the log, where there is no terminal


class Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of a stage, as text."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def stage(name: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show the progress of a stage while the block runs.

    Args:
        name: what is done in it
        total: images that it is done to
        done: images that it was done to before, in an interrupted preparation

    Yields:
        a function that is told how many images more were done
    """
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), Rate())
    began = last = time.monotonic()
    count = 0

    def advance(more: int) -> None:
        nonlocal count, last
        count += more
        progress.advance(task, more)
        now = time.monotonic()
        if not progress.console.is_terminal and now - last >= EVERY:
            rate = count / (now - began)
            left = timedelta(seconds=round((total - done - count) / rate))
            log.info("%s: %d of %d, %.0f/s, %s left", name, done + count, total, rate, left)
            last = now

    with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        task = progress.add_task(name, total=total, completed=done)
        yield advance
    seconds = time.monotonic() - began
    if count:
        log.debug("%s: %d images in %.1f s", name, count, seconds)
