"""How two ways of doing the same are timed against each other, on a machine that is not idle."""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch


class Ratio(NamedTuple):
    """time(a) / time(b): the median of the repeats' ratios, the smallest and the largest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}x (min {self.low:.2f}, max {self.high:.2f})"


def ratio(a: Callable, b: Callable, repeats: int = 5, number: int = 1) -> Ratio:
    """Time a and b in turn, on one thread, in CPU seconds of this process.

    CPU seconds, because other processes on the machine stretch the wall clock; in turn, because
    the machine's speed drifts.

    Args:
        a: the slower one, for a ratio above 1
        b: what it is compared with
        repeats: pairs of measurements
        number: calls in a measurement; raise it where one takes less than some milliseconds
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for function in (a, b):
            function()  # warm: caches, lazy set-up
        ratios = [_seconds(a, number) / _seconds(b, number) for _ in range(repeats)]
    finally:
        torch.set_num_threads(threads)
    return Ratio(median(ratios), min(ratios), max(ratios))


def _seconds(function: Callable, number: int) -> float:
    start = time.process_time()
    for _ in range(number):
        function()
    return time.process_time() - start
