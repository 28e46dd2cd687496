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
    a, b = _values(row, other, metric)
    across = crosses_seeds(row, other)
    mean, error, freedom = crossed(a, b) if across else _paired(a, b)
    half = _half(error, freedom, comparisons)
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
    of the cases, an interval over images in 50 % (tests/test_intervals.py).

    Args:
        a: (seeds, N) values of the images; a single seed stands for a method without training
        b: (other seeds, N)
    """
    return _Parts.of(a, b).error()


@dataclass(frozen=True)
class _Parts:
    """The parts of the variance of a mean difference.

    Args:
        mean: the difference
        images: variance over images
        freedom: of that variance
        both: variance by the interaction of images and seeds, which the other parts contain
        runs: for each row, the variance of its runs' means, and the number of runs
    """

    mean: float
    images: float
    freedom: float
    both: float
    runs: tuple[tuple[float, int], ...]

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> "_Parts":
        """Estimate the parts from the values (seeds, N) of two rows."""
        mean, error, freedom = _paired(a, b)
        both, runs = 0.0, []
        for values in (a, b):
            number, width = values.shape
            if number > 1 and width > 1:
                means = values.mean(axis=1, keepdims=True)
                residuals = values - values.mean(axis=0) - means + values.mean()
                cells = (number - 1) * (width - 1)
                both += float((residuals**2).sum() / cells / values.size)
                runs.append((float(means.var(ddof=1)), number))
        return cls(mean, error**2, freedom, both, tuple(runs))

    def error(self, seeds: int | None = None) -> tuple[float, float, float]:
        """Return the mean, its standard error and its degrees of freedom.

        Args:
            seeds: of each row, as if there were so many; None takes those that there are
        """
        if np.isnan(self.images):
            return self.mean, self.images, self.freedom
        numbers = [seeds or number for _, number in self.runs]
        parts = [variance / n for (variance, _), n in zip(self.runs, numbers, strict=True)]
        over_seeds = sum(parts)
        fewer = max((own for _, own in self.runs), default=1) / max(numbers, default=1)
        both = self.both * fewer
        images = self.images - self.both + both
        variance = max(images, over_seeds, images + over_seeds - both)
        if variance == 0:
            return self.mean, 0.0, self.freedom
        squares = sum(part**2 / (n - 1) for part, n in zip(parts, numbers, strict=True))
        return self.mean, variance**0.5, variance**2 / (squares + images**2 / self.freedom)


def seeds_to_decide(row: Row, rows: Sequence[Row], metric: str, most: int) -> int | None:
    """Return how many seeds of each row would probably make a row's gap to its base certain.

    It supposes that the difference and the variances stay what they are.

    Args:
        row: one of `rows` that has a base; both have two seeds or more, unless one is not trained
        rows: all rows of the table
        metric: name of the metric
        most: the highest number that is tried

    Returns:
        None if not even `most` seeds would
    """
    parts = _Parts.of(*_values(row, row.base, metric))
    comparisons = sum(other.base is not None for other in rows)
    for seeds in range(2, most + 1):
        mean, error, freedom = parts.error(seeds)
        if abs(mean) > _half(error, freedom, comparisons):
            return seeds
    return None


def _values(row: Row, other: Row, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (seeds, N) of two rows, without images that lack one."""
    a, b = (np.array([run.values[metric] for run in one.runs]) for one in (row, other))
    present = ~np.isnan(a).any(axis=0) & ~np.isnan(b).any(axis=0)
    return a[:, present], b[:, present]


def _half(error: float, freedom: float, comparisons: int) -> float:
    """Return half the width of an interval that is one of so many."""
    return float(stats.t.ppf(1 - (1 - LEVEL) / (2 * comparisons), freedom)) * error


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
