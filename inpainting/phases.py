"""Phases of a training, by shares of its batches."""

from collections.abc import Sequence
from itertools import accumulate


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
