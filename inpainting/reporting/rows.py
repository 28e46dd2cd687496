"""Rows of a table: the runs of one setting, which differ in their seeds alone."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inpainting.errors import InputError
from inpainting.reporting.naming import differences
from inpainting.runs.identity import method_part
from inpainting.runs.measured import Conditions, Measured


@dataclass(eq=False)
class Row:
    """The runs of one setting under the same conditions.

    Args:
        runs: one a seed
        label: what the table calls it, unique there
        base: the row that it is compared with
        repeated: whether the label ends in a number, which its folder alone explains
    """

    runs: list[Measured]
    label: str
    base: "Row | None" = None
    repeated: bool = False

    @property
    def trained(self) -> bool:
        """False for a floor: a method without training."""
        return self.runs[0].trained

    def means(self, metric: str) -> np.ndarray:
        """The mean over the images of each run, (runs,)."""
        return np.array([run.mean(metric) for run in self.runs])

    def mean(self, metric: str) -> float:
        """Over images and seeds."""
        return float(self.means(metric).mean())

    def deviation(self, metric: str) -> float:
        """Of the runs' means, with n - 1; NaN for a single run."""
        return float(self.means(metric).std(ddof=1)) if len(self.runs) > 1 else float("nan")

    def per_image(self, metric: str) -> np.ndarray | None:
        """Mean over the seeds for each image, (N,); None where a run lacks the metric."""
        if any(metric not in run.values for run in self.runs):
            return None
        return np.mean([run.values[metric] for run in self.runs], axis=0)

    def detail(self, name: str) -> float:
        """Mean over the runs of a number of metrics.json, NaN where none has it."""
        found = [run.details[name] for run in self.runs if run.details.get(name) is not None]
        return float(np.mean(found)) if found else float("nan")


def tables_of_rows(
    measured: Sequence[Measured], base: str | None = None
) -> dict[Conditions, list[Row]]:
    """Rows by the conditions of their numbers; each row after the one that it is compared with.

    Args:
        measured: what `collect` found
        base: row that all others are compared with, in place of what the runs say

    Raises:
        InputError: no row is called `base`; equal hashes but other images.
    """
    rows = [Row(runs, runs[0].row) for runs in _settings(measured)]
    # A name stands for the same method in all tables, so the method's keys come first.
    for same in _by(rows, lambda row: row.label):
        _tell_apart(same, lambda row: method_part(row.runs[0].setting))
    tables = defaultdict(list)
    for row in rows:
        tables[row.runs[0].conditions].append(row)
    for table in tables.values():
        for same in _by(table, lambda row: row.label):
            _tell_apart(same, lambda row: row.runs[0].setting)
        for same in _by(table, lambda row: row.label):
            if len(same) > 1:
                for i, row in enumerate(same, 1):
                    row.label += f" #{i}"
                    row.repeated = True
        _check_images(table)
        _find_bases(table, base)
    if base is not None and not any(row.base for table in tables.values() for row in table):
        names = sorted({row.label for row in rows})
        raise InputError(f"base={base}: nothing to compare with it; the rows are {names}")
    return {key: _ordered(tables[key]) for key in sorted(tables)}


def _by(rows: Iterable[Row], key: Callable[[Row], object]) -> list[list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return list(groups.values())


def _settings(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Runs that differ in their seeds alone, together; what repeats a seed stands by itself."""
    groups = defaultdict(list)
    for run in measured:
        setting = frozenset(run.setting.items())
        groups[run.conditions, run.row, run.trained, setting].append(run)
    found = []
    for runs in groups.values():
        seeds = [run.seeds for run in runs]
        if len(set(seeds)) == len(seeds):
            found.append(sorted(runs, key=lambda run: run.seeds))
        else:
            found += [[run] for run in runs]
    return found


def _tell_apart(rows: list[Row], setting_of: Callable[[Row], dict[str, str]]) -> None:
    """Add to the labels of rows that share one what their settings differ in."""
    for row, text in zip(rows, differences([setting_of(row) for row in rows]), strict=True):
        row.label += f" ({text})" if text else ""


def _check_images(table: list[Row]) -> None:
    first = table[0].runs[0]
    for run in (run for row in table for run in row.runs):
        if not np.array_equal(run.values["index"], first.values["index"]):
            raise InputError(
                f"{run.folder}/per_image.csv lists other images than "
                f"{first.folder}/per_image.csv, though their holes have the same hash: "
                "test one of them again"
            )


def _find_bases(table: list[Row], base: str | None) -> None:
    """Set each row's base, where it stands in the same table and is told unmistakably."""
    for row in table:
        name = base or row.runs[0].compared_with
        named = [one for one in table if name in (one.label, one.runs[0].row) and one is not row]
        beside = [one for one in named if _place(one) == _place(row)]
        candidates = beside if len(beside) == 1 else named
        if len(candidates) == 1 and name not in (row.label, row.runs[0].row):
            row.base = candidates[0]


def _place(row: Row) -> str:
    return str(row.runs[0].folder.parent)


def _ordered(table: list[Row]) -> list[Row]:
    """Each base before the rows compared with it, that of most rows first; otherwise by name.

    Methods without training come last.
    """

    def name(row: Row) -> list[tuple[str, int]]:
        # 8 before 16
        return [(text, int(part or -1)) for text, part in re.findall(r"(\D*)(\d*)", row.label)]

    def key(row: Row) -> tuple:
        base = row.base or row
        followers = sum(other.base is base for other in table)
        return not row.trained, -followers, name(base), row.base is not None, name(row)

    return sorted(table, key=key)
