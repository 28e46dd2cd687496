"""The log of a training by step: the columns of metrics.csv, and the phases of the training."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import compress
from pathlib import Path

import numpy as np

from inpainting.errors import InputError
from inpainting.runs.measured import Measured
from inpainting.runs.stored import read_lines

Log = dict[str, np.ndarray]
Together = frozenset[str]  # names of the losses that one line has


@lru_cache(maxsize=256)
def read_log(folder: Path) -> Log:
    """Read the columns of metrics.csv, (lines,) each, with NaN where nothing was logged.

    The result is empty if there is no such file.

    Raises:
        InputError: the file is not a table of numbers.
    """
    path = folder / "metrics.csv"
    if not path.is_file():
        return {}
    names, *lines = read_lines(path) or [[]]
    try:
        rows = [dict(zip(names, line, strict=True)) for line in lines]
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is not a table of numbers ({error}); delete it") from error


def epoch_tested(log: Log, run: Measured) -> int | None:
    """Return the line of the validation whose weights were tested.

    This is the best line of the monitored metric, or the last line that has it if the last
    checkpoint was tested. None means that the line is unknown.

    Args:
        log: log of the training
        run: the test, whose setting says which checkpoint was tested and which metric chose it
    """
    monitor = run.setting.get("monitor", "")
    values = log.get(monitor)
    if values is None or np.isnan(values).all():
        return None
    if run.setting.get("checkpoint") == "last":
        return int(np.flatnonzero(~np.isnan(values))[-1])
    column = run.columns.get(monitor.removeprefix("val/"))
    # The better end of a number that only the method logs is unknown.
    if column is None or not column.ranked:
        return None
    return int(np.nanargmin(values) if column.direction == "min" else np.nanargmax(values))


def losses(log: Log) -> list[str]:
    """Return the names of the training losses, without parts such as loss_g_mse of loss_g."""
    return [name for name in log if name.startswith("train/loss") and name.count("_") <= 1]


def logged_together(logs: Iterable[Log]) -> set[Together]:
    """Return every set of losses that some line of a log has."""
    return {together for log in logs for together in _lines(log) if together}


def phases(log: Log, known: Collection[Together]) -> dict[tuple[str, ...], np.ndarray]:
    """Return the losses of each phase, and a boolean (lines,) of where they are logged.

    The phases are in order of appearance. Lines that average over a change of phase, for instance
    from completion to discriminator, are left out.

    Args:
        log: log of one training
        known: sets of losses logged together in all trainings of the same figure; from the log of
            one training, a phase shorter than the logging interval looks like a mixture
    """
    lines = _lines(log)
    return {
        tuple(name for name in losses(log) if name in together): np.array(
            [line == together for line in lines]
        )
        for together in dict.fromkeys(lines)
        if together and not _is_mixture(together, known)
    }


def never_alone(log: Log, known: Collection[Together]) -> list[str]:
    """Return the losses that `phases` leaves out because all their lines are mixtures."""
    kept = {name for names in phases(log, known) for name in names}
    logged = frozenset().union(*_lines(log))
    return [name for name in losses(log) if name in logged - kept]


def _lines(log: Log) -> list[Together]:
    """Return the set of losses that each line has."""
    names = losses(log)
    if not names:
        return []
    present = ~np.isnan([log[name] for name in names])  # (losses, lines)
    return [frozenset(compress(names, line)) for line in present.T]


def _is_mixture(together: Together, known: Collection[Together]) -> bool:
    """Return True if a line averages over a change of phase.

    Such a line joins a smaller known set of losses with losses that are also logged without that
    set.
    """
    return any(
        part < together and together - part <= other and not other >= together
        for part in known
        for other in known
    )
