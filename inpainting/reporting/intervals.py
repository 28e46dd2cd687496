"""Intervals over images and seeds, which decide whether one row is certainly better."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from inpainting.metrics.columns import Column
from inpainting.reporting.rows import Row

LEVEL = 0.95  # of all intervals of a column together


@dataclass(frozen=True)
class Difference:
    """One row minus another in one metric, with an interval.

    Args:
        mean: mean difference over the images and seeds
        low: lower limit; NaN for a single image
        high: upper limit
        p_value: two-sided p-value of a difference of zero, corrected as the limits are
        seeds: True if the interval covers another training, False if it covers other images alone
    """

    mean: float
    low: float
    high: float
    p_value: float
    seeds: bool

    @property
    def certain(self) -> bool:
        """True if the interval excludes zero."""
        return self.low > 0 or self.high < 0


def difference(row: Row, other: Row, metric: str, comparisons: int = 1) -> Difference | None:
    """Return `row` minus `other`; None if a row lacks the metric's values for each image.

    The interval covers seeds and images where each row that was trained has two seeds or more,
    and images alone otherwise.

    Args:
        row: the row
        other: the row that it is compared with, measured on the same images
        metric: name of the metric
        comparisons: number of comparisons in the column; the interval is Bonferroni's, so that all
            of them hold together with a probability of 95 %
    """
    if any(metric not in run.values for run in (*row.runs, *other.runs)):
        return None
    a, b = (np.array([run.values[metric] for run in one.runs]) for one in (row, other))
    present = ~np.isnan(a).any(axis=0) & ~np.isnan(b).any(axis=0)
    a, b = a[:, present], b[:, present]
    across = crosses_seeds(row, other)
    mean, error, freedom = crossed(a, b) if across else _paired(a, b)
    half = float(stats.t.ppf(1 - (1 - LEVEL) / (2 * comparisons), freedom)) * error
    p = min(1.0, comparisons * _p_value(mean, error, freedom))
    return Difference(mean, mean - half, mean + half, p, across)


def gap_to_base(row: Row, rows: Sequence[Row], metric: str) -> Difference | None:
    """Return a row minus its base, as one of all such differences in the table.

    Args:
        row: one of `rows`
        rows: all rows of the table
        metric: name of the metric

    Returns:
        None if the row has no base, or one of both lacks the metric's values for each image
    """
    comparisons = sum(other.base is not None for other in rows)
    return difference(row, row.base, metric, comparisons) if row.base else None


def crosses_seeds(row: Row, other: Row) -> bool:
    """Return True if an interval of their difference can say something about another training."""
    trained = [one for one in (row, other) if one.trained]
    return bool(trained) and all(len(one.runs) > 1 for one in trained)


def _p_value(mean: float, error: float, freedom: float) -> float:
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / error, freedom))


def _paired(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of a - b, its standard error over images and the degrees of freedom.

    Args:
        a: (seeds, N) values of the images; seeds are averaged first
        b: (other seeds, N)
    """
    gaps = a.mean(axis=0) - b.mean(axis=0)
    if len(gaps) < 2:
        return float(gaps.mean()) if len(gaps) else float("nan"), float("nan"), float("nan")
    return float(gaps.mean()), float(gaps.std(ddof=1) / len(gaps) ** 0.5), len(gaps) - 1.0


def crossed(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of a - b, its standard error over seeds and images, and its freedom.

    Images are crossed with seeds: each network is tested on the same images, and each image by
    all networks. The variance of the mean is the sum of that over images and that over seeds, less
    their interaction, which both contain; the degrees of freedom are Satterthwaite's. This is the
    analysis of variance of a mixed model with random seeds and images. In a simulation with two
    or three seeds whose effect is as large as the images' difference, it covers the truth in 95 %
    of the cases, a bootstrap of seeds and images in 85 %, an interval over images in 50 %
    (tests/test_intervals.py).

    Args:
        a: (seeds, N) values of the images; a single seed stands for a method without training
        b: (other seeds, N)
    """
    mean, image_error, image_freedom = _paired(a, b)
    if np.isnan(image_error):
        return mean, image_error, image_freedom
    images, seeds, both, squares = image_error**2, 0.0, 0.0, 0.0
    for values in (a, b):
        number, width = values.shape
        if number > 1:
            means = values.mean(axis=1, keepdims=True)
            residuals = values - values.mean(axis=0) - means + values.mean()
            part = float(means.var(ddof=1) / number)
            seeds, squares = seeds + part, squares + part**2 / (number - 1)
            cells = (number - 1) * (width - 1)
            both += float((residuals**2).sum() / cells / values.size)
    variance = max(images, seeds, images + seeds - both)
    if variance == 0:
        return mean, 0.0, image_freedom
    return mean, variance**0.5, variance**2 / (squares + images**2 / image_freedom)


def best_first(rows: Sequence[Row], column: Column) -> list[Row]:
    """Sort rows by their means in a column that has a better end."""
    return sorted(rows, key=lambda row: row.mean(column.name), reverse=column.direction == "max")


def certainly_best(rows: Sequence[Row], column: Column) -> Row | None:
    """Return the row whose advantage over every other row is certain; None if there is none."""
    metric = column.name
    if len(rows) < 2 or any(np.isnan(row.mean(metric)) for row in rows):
        return None
    best, *others = best_first(rows, column)
    gaps = [difference(best, other, metric, len(others)) for other in others]
    return best if all(gap is not None and gap.certain for gap in gaps) else None
