"""Intervals over images and over seeds, which decide whether one row is certainly better."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from inpainting.metrics.columns import Column
from inpainting.metrics.intervals import paired_difference
from inpainting.reporting.rows import Row


@dataclass(frozen=True)
class Difference:
    """One row minus another in one metric, with 95 % intervals.

    Args:
        mean: mean difference over the images
        low: lower limit of the paired interval over the images; the values of each image are
            averaged over seeds first
        high: upper limit of the paired interval
        seeds_low: lower limit of Welch's interval over the runs' means; NaN if a row has a single
            seed or neither row's means vary
        seeds_high: upper limit of Welch's interval
    """

    mean: float
    low: float
    high: float
    seeds_low: float = float("nan")
    seeds_high: float = float("nan")

    @property
    def certain(self) -> bool:
        """True if every known interval excludes zero, all on the same side."""
        signs = {np.sign(self.low), np.sign(self.high)}
        if not np.isnan(self.seeds_low):
            signs |= {np.sign(self.seeds_low), np.sign(self.seeds_high)}
        return signs in ({1.0}, {-1.0})


def difference(row: Row, other: Row, metric: str) -> Difference | None:
    """Return `row` minus `other`; None if a row lacks the metric's values for each image."""
    a, b = row.per_image(metric), other.per_image(metric)
    if a is None or b is None:
        return None
    paired = paired_difference(a, b)
    x, y = row.means(metric), other.means(metric)
    if min(len(x), len(y)) < 2 or x.std() + y.std() == 0:
        return Difference(*paired)
    welch = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    return Difference(*paired, float(welch.low), float(welch.high))


def best_first(rows: Sequence[Row], column: Column) -> list[Row]:
    """Sort rows by their means in a column that has a better end."""
    return sorted(rows, key=lambda row: row.mean(column.name), reverse=column.direction == "max")


def certainly_best(rows: Sequence[Row], column: Column) -> Row | None:
    """Return the row whose advantage over every other row is certain; None if there is none."""
    metric = column.name
    if len(rows) < 2 or any(np.isnan(row.mean(metric)) for row in rows):
        return None
    best = best_first(rows, column)[0]
    for other in rows:
        gap = difference(best, other, metric) if other is not best else None
        if other is not best and (gap is None or not gap.certain):
            return None
    return best
