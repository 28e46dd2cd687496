"""Whether validation loss tracks quality: rank correlations over runs and over epochs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from inpainting.metrics.columns import Column
from inpainting.reporting.logs import epoch_tested, read_log
from inpainting.reporting.rows import Row

LEAST = 3  # pairs; of two, every rank correlation is 1 or -1


def spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Rank correlation and its p-value; NaN for fewer than three pairs or a constant side."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < LEAST:
        return float("nan"), float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        result = stats.spearmanr(x[known], y[known])
    return float(result.statistic), float(result.pvalue)


@dataclass(frozen=True)
class Tracking:
    """How validation loss goes with one measure of quality.

    Args:
        measure: what the loss is correlated with
        direction: which end of it is better
        over_runs: Spearman's coefficient of the tested epoch's val/loss and the test number
        p_value: of the same
        runs: number of runs in it
        over_epochs: the coefficient within a run, of val/loss and val/measure over its epochs;
            mean over the runs
        logs: number of runs in that
    """

    measure: str
    direction: str
    over_runs: float
    p_value: float
    runs: int
    over_epochs: float = float("nan")
    logs: int = 0


def validation_losses(rows: Sequence[Row]) -> list[tuple[Row, int, float]]:
    """Row, number of the run in it, and val/loss of the epoch that was tested; a training once."""
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
    """Correlation of validation loss with each metric, and with what people said of the rows.

    Args:
        rows: of one table
        columns: numbers of the test
        human: from a row to its average score, NaN where nobody scored it
    """
    losses = validation_losses(rows)
    found = []
    for column in columns:
        quality = [row.runs[i].mean(column.name) for row, i, _ in losses]
        rho, p = spearman([loss for *_, loss in losses], quality)
        within = [_over_epochs(row.runs[i].trained_in, column.name) for row, i, _ in losses]
        within = [value for value in within if not np.isnan(value)]
        mean = float(np.mean(within)) if within else float("nan")
        of = column.heading, column.direction
        found.append(Tracking(*of, rho, p, len(losses), mean, len(within)))
    by_row = [[loss for one, _, loss in losses if one is row] for row in rows]
    per_row = [(float(np.mean(x)), human(row)) for x, row in zip(by_row, rows, strict=True) if x]
    scored = [(loss, score) for loss, score in per_row if not np.isnan(score)]
    rho, p = spearman([loss for loss, _ in scored], [score for _, score in scored])
    if not np.isnan(rho):
        found.append(Tracking("human average", "max", rho, p, len(scored)))
    return [one for one in found if not (np.isnan(one.over_runs) and np.isnan(one.over_epochs))]


def _over_epochs(folder: Path, metric: str) -> float:
    log = read_log(folder)
    if f"val/{metric}" not in log:
        return float("nan")
    return spearman(log["val/loss"], log[f"val/{metric}"])[0]
