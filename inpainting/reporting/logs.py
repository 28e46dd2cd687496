"""What a training logged by step: metrics.csv as columns, and its phases."""

import csv
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import compress
from pathlib import Path

import numpy as np

from inpainting.errors import InputError
from inpainting.runs.measured import Measured

Log = dict[str, np.ndarray]
Together = frozenset[str]  # names of the losses of one line


@lru_cache(maxsize=256)
def read_log(folder: Path) -> Log:
    """Columns of metrics.csv, NaN where nothing was logged; empty where there is no such file.

    Raises:
        InputError: it is not a table of numbers.
    """
    path = folder / "metrics.csv"
    if not path.is_file():
        return {}
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        names, lines = reader.fieldnames or [], list(reader)
    try:
        return {name: np.array([float(one[name] or "nan") for one in lines]) for name in names}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is not a table of numbers ({error}); take it away") from error


def epoch_tested(log: Log, run: Measured) -> int | None:
    """Line of the validation whose weights were tested: the monitored metric's best, or the last.

    Args:
        log: of the training
        run: the test; which checkpoint it took, and what that was chosen by
    """
    monitor = run.setting.get("monitor", "")
    values = log.get(monitor)
    if values is None or np.isnan(values).all():
        return None
    if run.setting.get("checkpoint") == "last":
        return int(np.flatnonzero(~np.isnan(values))[-1])
    column = run.columns.get(monitor.removeprefix("val/"))
    if column is None or not column.ranked:  # logged by the method itself: it cannot be told
        return None
    return int(np.nanargmin(values) if column.direction == "min" else np.nanargmax(values))


def losses(log: Log) -> list[str]:
    """Training losses in their own right; loss_g_mse is a part of loss_g."""
    return [name for name in log if name.startswith("train/loss") and name.count("_") <= 1]


def logged_together(logs: Iterable[Log]) -> set[Together]:
    """The sets of losses that some line of some log has."""
    return {together for log in logs for together in _lines(log) if together}


def phases(log: Log, known: Collection[Together]) -> dict[tuple[str, ...], np.ndarray]:
    """Losses that are logged together, and the lines where they are; in order of appearance.

    Lines that average over a change of phase, such as of completion and discriminator, are left
    out.

    Args:
        log: of one training
        known: what is logged together in all trainings that this one is drawn with: in one alone,
            a phase shorter than the interval of logging cannot be told from a mixture
    """
    lines = _lines(log)
    return {
        tuple(name for name in losses(log) if name in one): np.array(
            [same == one for same in lines]
        )
        for one in dict.fromkeys(lines)
        if one and not _is_mixture(one, known)
    }


def never_alone(log: Log, known: Collection[Together]) -> list[str]:
    """Losses of which every line averages over a change of phase, so that none is in `phases`."""
    kept = {name for names in phases(log, known) for name in names}
    logged = frozenset().union(*_lines(log))
    return [name for name in losses(log) if name in logged - kept]


def _lines(log: Log) -> list[Together]:
    """The losses that each line has."""
    names = losses(log)
    if not names:
        return []
    present = ~np.isnan([log[name] for name in names])  # (losses, lines)
    return [frozenset(compress(names, line)) for line in present.T]


def _is_mixture(one: Together, sets: Collection[Together]) -> bool:
    """Whether the losses are those of a smaller set, and others that are logged without it too."""
    return any(
        part < one and one - part <= other and not other >= one for part in sets for other in sets
    )
