"""Rank correlations of validation loss with quality, over runs and over epochs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from inpainting.metrics.columns import Column
from inpainting.reporting.logs import epoch_tested, read_log
from inpainting.reporting.rows import Row

LEAST = 3  # pairs; with two, every rank correlation is 1 or -1
FEW = 7  # pairs; up to here all 7! = 5,040 orders are tried for the p-value


def spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return Spearman's rank correlation and its two-sided p-value.

    The p-value of up to seven pairs is exact: twice the share of all orders of `y` whose
    correlation is at least as strong in the same direction. For more pairs Student's distribution
    is close enough.

    Pairs with a NaN are left out. Both results are NaN for fewer than three pairs, or if `x` or `y`
    is constant.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < LEAST:
        return float("nan"), float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        result = stats.spearmanr(x[known], y[known])
    rho, p = float(result.statistic), float(result.pvalue)
    if known.sum() <= FEW and not np.isnan(rho):
        a, b = (stats.zscore(stats.rankdata(values[known])) for values in (x, y))
        exact = stats.permutation_test(
            (b,),
            lambda order, axis: (a * order).mean(axis),
            permutation_type="pairings",
            vectorized=True,
            n_resamples=np.inf,
        )
        p = float(exact.pvalue)
    return rho, p


@dataclass(frozen=True)
class Tracking:
    """How closely validation loss follows one measure of quality.

    Args:
        measure: name of the measure
        direction: "max" or "min", the better end of the measure
        over_runs: Spearman's coefficient between val/loss of the tested epoch and the measure in
            the test
        p_value: p-value of `over_runs`
        runs: number of runs (rows for the human average) in `over_runs`
        over_epochs: the coefficient between val/loss and val/MEASURE over the epochs of a run,
            averaged over runs
        logs: number of runs in `over_epochs`
    """

    measure: str
    direction: str
    over_runs: float
    p_value: float
    runs: int
    over_epochs: float = float("nan")
    logs: int = 0


def validation_losses(rows: Sequence[Row]) -> list[tuple[Row, int, float]]:
    """Return a row, the index of a run in it and val/loss of the tested epoch, for each training.

    A training that several runs test counts once.
    """
    found = {}
    for row in rows:
        for i, run in enumerate(row.runs):
            log = read_log(run.trained_in) if run.trained_in else {}
            epoch = epoch_tested(log, run)
            if epoch is not None and "val/loss" in log:
                found.setdefault(run.trained_in, (row, i, float(log["val/loss"][epoch])))
    return list(found.values())


def tracking(
    rows: Sequence[Row], columns: Sequence[Column], human: Callable[[Row], float]
) -> list[Tracking]:
    """Correlate validation loss with each metric and with people's scores.

    Args:
        rows: rows of one table
        columns: metrics of the test
        human: returns the average score of a row, NaN if nobody scored it

    Returns:
        an entry for each measure that has a coefficient
    """
    losses = validation_losses(rows)
    found = [_metric_tracking(losses, column) for column in columns]
    found.append(_human_tracking(rows, losses, human))
    return [
        entry for entry in found if not (np.isnan(entry.over_runs) and np.isnan(entry.over_epochs))
    ]


def _metric_tracking(losses: Sequence[tuple[Row, int, float]], column: Column) -> Tracking:
    quality = [row.runs[i].mean(column.name) for row, i, _ in losses]
    rho, p = spearman([loss for *_, loss in losses], quality)
    within = [_over_epochs(row.runs[i].trained_in, column.name) for row, i, _ in losses]
    within = [value for value in within if not np.isnan(value)]
    mean = float(np.mean(within)) if within else float("nan")
    return Tracking(column.heading, column.direction, rho, p, len(losses), mean, len(within))


def _human_tracking(
    rows: Sequence[Row], losses: Sequence[tuple[Row, int, float]], human: Callable[[Row], float]
) -> Tracking:
    pairs = []
    for row in rows:
        own = [loss for other, _, loss in losses if other is row]
        score = human(row) if own else float("nan")
        if not np.isnan(score):
            pairs.append((float(np.mean(own)), score))
    rho, p = spearman([loss for loss, _ in pairs], [score for _, score in pairs])
    return Tracking("human average", "max", rho, p, len(pairs))


def _over_epochs(folder: Path, metric: str) -> float:
    log = read_log(folder)
    if f"val/{metric}" not in log:
        return float("nan")
    return spearman(log["val/loss"], log[f"val/{metric}"])[0]
