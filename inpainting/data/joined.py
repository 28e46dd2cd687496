"""Several arrays on disk that are read as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class JoinedArrays:
    """Arrays with equal shapes but for their first axis, read as if they were concatenated.

    A data set that one file cannot hold is stored in several. Only what is indexed is read.

    Args:
        parts: the arrays, in memory or memory-mapped; at least one
    """

    def __init__(self, parts: Sequence[np.ndarray]):
        self.parts = list(parts)
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (int(self.starts[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return a copy of the rows that an integer, a slice or an array of integers selects.

        Raises:
            IndexError: an integer lies outside the first axis.
        """
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        wanted = np.asarray(index)
        order = np.atleast_1d(wanted)
        order = np.where(order < 0, order + len(self), order)
        if order.size and not (order.min() >= 0 and order.max() < len(self)):
            raise IndexError(f"an index is outside the {len(self)} rows of this array")
        part = np.searchsorted(self.starts, order, side="right") - 1
        rows = np.empty((len(order), *self.shape[1:]), self.dtype)
        for number in np.unique(part):
            chosen = part == number
            rows[chosen] = self.parts[number][order[chosen] - self.starts[number]]
        return rows[0] if wanted.ndim == 0 else rows
