"""Learning-rate factors as functions of training's progress, from 0 (start) to 1 (end)."""

import math
from dataclasses import dataclass

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
