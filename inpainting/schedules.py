"""Schedules over the progress of a training: learning-rate factors and training phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from inpainting.errors import InputError, check_whole


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

    Raises:
        InputError: a share is negative, or they do not sum to 1.

    Attributes:
        ended: for each phase, the number of the first batch after its early end, counted from 0;
            None if it has not ended early
    """

    def __init__(self, shares: Sequence[float]):
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise InputError(f"model.phases={list(shares)}: type shares that sum to 1")
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


PRETRAINING, WARM_UP, FINE_TUNING = 0, 1, 2


class Stages:
    """Divide a training into pre-training, a discriminator's warm-up, and fine-tuning.

    Pre-training ends early once its validation loss no longer falls; the warm-up then starts at
    once and keeps its length.

    Args:
        pretrain: share of the training that is pre-training, in [0, 1]
        warmup: length of the warm-up in epochs, 0 or more
        patience: validations without a new lowest loss after which pre-training ends; None never
            ends it early

    Raises:
        InputError: a number is out of range.
    """

    def __init__(self, pretrain: float, warmup: float, patience: int | None):
        if not 0 <= pretrain <= 1:
            raise InputError(
                f"model.stages.pretrain={pretrain}: type a share of the training, 0 to 1"
            )
        if warmup < 0:
            raise InputError(f"model.stages.warmup={warmup}: type a number of epochs, 0 or more")
        if patience is not None:
            check_whole("model.stages.patience", patience, 1)
        self.pretrain, self.warmup, self.patience = pretrain, warmup, patience
        self.ended: int | None = None
        self.lowest, self.waited = math.inf, 0

    def starts(self, batches: int, epochs: int) -> tuple[int, int, int]:
        """Return the first batch of the warm-up, that of fine-tuning, and the number of batches.

        Args:
            batches: of an epoch
            epochs: of the training
        """
        total = batches * epochs
        warmup = round(self.pretrain * total) if self.ended is None else self.ended
        return warmup, min(total, warmup + round(self.warmup * batches)), total

    def at(self, position: int, batches: int, epochs: int) -> int:
        """Return the stage of a batch, which is counted from the start of the training."""
        warmup, fine_tuning, _ = self.starts(batches, epochs)
        if position < warmup or self.pretrain == 1:
            return PRETRAINING
        return WARM_UP if position < fine_tuning else FINE_TUNING

    def begin(self, position: int, batches: int, epochs: int) -> int:
        """Return the stage of a batch that is trained now.

        What has begun stays begun: a longer training later on does not go back to pre-training.
        """
        stage = self.at(position, batches, epochs)
        if stage != PRETRAINING:
            self.ended = self.starts(batches, epochs)[0]
        return stage

    def progress(self, position: int, batches: int, epochs: int) -> float:
        """Return the share that is done of pre-training, or of what follows it, in [0, 1]."""
        warmup, _, total = self.starts(batches, epochs)
        start, end = (0, warmup) if position < warmup else (warmup, total)
        return min(1.0, (position - start) / (end - start)) if end > start else 1.0

    def note(self, loss: float, position: int) -> bool:
        """Note a validation loss of pre-training; return True if pre-training ends with it.

        Args:
            loss: the validation loss
            position: number of the batch that follows
        """
        self.waited = 0 if loss < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, loss)
        if self.patience is None or self.waited < self.patience or self.ended is not None:
            return False
        self.ended = position
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training must know."""
        return {"ended": self.ended, "lowest": self.lowest, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.ended, self.lowest, self.waited = state["ended"], state["lowest"], state["waited"]


@dataclass(frozen=True)
class Exponential:
    """Lower the learning rate exponentially.

    Args:
        end: factor of the learning rate at progress 1, above 0

    Raises:
        InputError: `end` is not above 0.
    """

    end: float

    def __post_init__(self) -> None:
        if self.end <= 0:
            raise InputError(f"model.lr_schedule.end={self.end}: type a factor above 0")

    def __call__(self, progress: float) -> float:
        """Return the factor of the learning rate at a progress from 0 (start) to 1 (end).

        >>> Exponential(0.01)(0.5)
        0.1
        """
        return self.end**progress
