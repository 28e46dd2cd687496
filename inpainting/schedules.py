"""Schedules over the progress of a training: learning-rate factors and training phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from inpainting.errors import InputError


@dataclass(frozen=True)
class Constant:
    """A constant learning rate, that of the optimiser."""

    def __call__(self, progress: float) -> float:
        """Return the factor 1 at any progress."""
        return 1.0


@dataclass(frozen=True)
class OneCycle:
    """Raise the learning rate to that of the optimiser and lower it to 0, both along a cosine.

    Source: the one-cycle policy, arXiv 1708.07120.

    Args:
        warmup: share of the training with a rising rate, in [0, 1)
        start: factor of the learning rate at progress 0

    Raises:
        InputError: `warmup` is not in [0, 1).
    """

    warmup: float = 0.2
    start: float = 0.04

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise InputError(
                f"model.lr_schedule.warmup={self.warmup}: type a share of at least 0 and below 1"
            )

    def __call__(self, progress: float) -> float:
        """Return the factor of the learning rate at a progress from 0 (start) to 1 (end).

        >>> [round(OneCycle(0.2, 0.0)(p), 3) for p in (0, 0.1, 0.2, 0.6, 1)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
        """
        if progress < self.warmup:
            rise = (1 - math.cos(math.pi * progress / self.warmup)) / 2
            return self.start + (1 - self.start) * rise
        fall = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return (1 + math.cos(math.pi * fall)) / 2


class Phases:
    """Divide the batches of a training into phases; a phase may end before its share is used up.

    The phase after one that ended early starts at once and keeps its own end.

    Args:
        shares: share of the batches for each phase; they sum to 1

    Attributes:
        ended: for each phase, the number of the first batch after its early end, counted from 0;
            None if it has not ended early
    """

    def __init__(self, shares: Sequence[float]):
        self.shares = list(shares)
        self.restart()

    def restart(self) -> None:
        """Forget all early ends."""
        self.ended: list[int | None] = [None] * len(self.shares)

    def end(self, phase: int, position: int) -> None:
        """End a phase early, with `position` as the first batch after it; only once per phase."""
        if self.ended[phase] is None:
            self.ended[phase] = position

    def at(self, position: int, total: int) -> int:
        """Return the phase of a batch; after an early end of the last phase it is phase 0.

        Args:
            position: number of the batch, from 0 to `total` - 1
            total: number of batches in all phases
        """
        ends = [round(share * total) for share in accumulate(self.shares)]
        ends[-1] = total  # rounding errors in the shares must not leave batches without a phase
        for phase, (end, early) in enumerate(zip(ends, self.ended, strict=True)):
            if position < (end if early is None else min(end, early)):
                return phase
        return 0
