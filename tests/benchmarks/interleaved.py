"""How two ways of doing the same are timed against each other, on a machine that is not idle."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch


class Spread(NamedTuple):
    """What repeats of a measurement gave: the middle one, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


def process_seconds(function: Callable, number: int = 1) -> float:
    """CPU seconds of this process, all its threads, that `number` calls take."""
    start = time.process_time()
    for _ in range(number):
        function()
    return time.process_time() - start


def in_turn(
    a: Callable[[], float], b: Callable[[], float], repeats: int = 5
) -> list[tuple[float, float]]:
    """Measure a and b in turn on one thread, after one of each that does not count.

    In turn, because the machine's speed drifts; in CPU seconds (`process_seconds`), because other
    processes on the machine stretch the wall clock.

    Args:
        a: does its work and returns the seconds it took
        b: likewise
        repeats: pairs of measurements
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a(), b()  # warm: caches, lazy set-up
        return [(a(), b()) for _ in range(repeats)]
    finally:
        torch.set_num_threads(threads)


def ratio(a: Callable, b: Callable, repeats: int = 5, number: int = 1) -> Spread:
    """time(a) / time(b): of each repeat, so that drift cancels.

    Args:
        a: the slower one, for a ratio above 1
        b: what it is compared with
        repeats: pairs of measurements
        number: calls in a measurement; raise it where one takes less than some milliseconds
    """
    pairs = in_turn(lambda: process_seconds(a, number), lambda: process_seconds(b, number), repeats)
    return Spread.of([one / other for one, other in pairs])


def processor_flags() -> set[str]:
    """What the processor says of itself, on Linux; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return set(path.read_text().split()) if path.exists() else set()
