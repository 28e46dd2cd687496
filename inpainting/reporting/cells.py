"""Text of table cells: numbers with their decimals, intervals and times."""

from dataclasses import dataclass

import numpy as np

from inpainting.metrics.columns import Column
from inpainting.reporting.intervals import Difference
from inpainting.reporting.rows import Row

EMPTY = ""


@dataclass(frozen=True)
class Cell:
    """The text of a cell; bold marks the value that is certainly the best of its column."""

    text: str
    bold: bool = False


def with_deviation(row: Row, column: Column) -> str:
    """Format mean ± standard deviation over seeds, or the mean alone for a single seed."""
    mean = column.text(row.mean(column.name))
    deviation = column.text(row.deviation(column.name))
    return f"{mean} ± {deviation}" if mean and deviation else mean


def with_interval(gap: Difference | None, column: Column) -> str:
    """Format a difference and its interval; empty if there is no difference."""
    if gap is None or np.isnan(gap.mean):
        return EMPTY
    mean, low, high = (column.text(v, signed=True) for v in (gap.mean, gap.low, gap.high))
    return f"{mean} [{low}, {high}]" if low else mean


def p_value(value: float) -> str:
    """Format a p-value with three decimals, of which the last is never rounded to zero."""
    if np.isnan(value):
        return EMPTY
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float) -> str:
    """Format seconds in s, min or h; empty for NaN."""
    if np.isnan(seconds):
        return EMPTY
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 3600:.1f} h"
