"""What follows from the progress of a training: learning-rate factors, and phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from inpainting.errors import InputError


@dataclass(frozen=True)
class Constant:
    """The optimiser's own rate throughout."""

    def __call__(self, progress: float) -> float:
        """Always 1."""
        return 1.0


@dataclass(frozen=True)
class OneCycle:
    """Up to the optimiser's rate and down to nothing, along cosines (arXiv 1708.07120).

    Args:
        warmup: share of the training that goes up
        start: factor at the very start

    Raises:
        InputError: a warmup that is no such share.
    """

    warmup: float = 0.2
    start: float = 0.04

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise InputError(
                f"model.lr_schedule.warmup={self.warmup}: type a share from 0 up to below 1"
            )

    def __call__(self, progress: float) -> float:
        """Factor of the learning rate at this progress.

        >>> [round(OneCycle(0.2, 0.0)(p), 3) for p in (0, 0.1, 0.2, 0.6, 1)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
        """
        if progress < self.warmup:
            rise = (1 - math.cos(math.pi * progress / self.warmup)) / 2
            return self.start + (1 - self.start) * rise
        fall = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return (1 + math.cos(math.pi * fall)) / 2


class Phases:
    """Which phase a batch is in; a phase that ends early leaves its batches to the next.

    Args:
        shares: of the batches, one for each phase; they sum to 1

    Attributes:
        ended: for each phase the batch, counted from 0, from which it is over; None where its
            share decides
    """

    def __init__(self, shares: Sequence[float]):
        self.shares = list(shares)
        self.restart()

    def restart(self) -> None:
        """No phase has ended early."""
        self.ended: list[int | None] = [None] * len(self.shares)

    def end(self, phase: int, position: int) -> None:
        """The phase is over from this batch on, unless it ended before."""
        if self.ended[phase] is None:
            self.ended[phase] = position

    def at(self, position: int, total: int) -> int:
        """The phase of one batch of so many; the first where the last phase ended early."""
        ends = [round(share * total) for share in accumulate(self.shares)]
        ends[-1] = total  # whatever the shares' last digits sum to
        for phase, (end, early) in enumerate(zip(ends, self.ended, strict=True)):
            if position < (end if early is None else min(end, early)):
                return phase
        return 0
