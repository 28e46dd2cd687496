"""Table rows: the runs of one setting, which differ only in their seeds."""

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
    """The runs of one setting, measured under the same conditions.

    Args:
        runs: one run for each seed
        label: the row's name, unique in its table
        base: the row that this one is compared with, None if the table has no such row
        repeated: True if rows with the same name, setting and seed share the table, so that the
            label ends in a number and only the folder says which row is which
    """

    runs: list[Measured]
    label: str
    base: "Row | None" = None
    repeated: bool = False

    @property
    def trained(self) -> bool:
        """False for a floor, that is a method without training."""
        return self.runs[0].trained

    def means(self, metric: str) -> np.ndarray:
        """Return the mean over the images for each run, (runs,)."""
        return np.array([run.mean(metric) for run in self.runs])

    def mean(self, metric: str) -> float:
        """Return the mean over images and seeds."""
        return float(self.means(metric).mean())

    def deviation(self, metric: str) -> float:
        """Return the standard deviation of the runs' means, with n - 1; NaN for a single run."""
        return float(self.means(metric).std(ddof=1)) if len(self.runs) > 1 else float("nan")

    def detail(self, name: str) -> float:
        """Return the mean over the runs of a number in metrics.json; NaN if no run has it."""
        found = [run.details[name] for run in self.runs if run.details.get(name) is not None]
        return float(np.mean(found)) if found else float("nan")


def tables_of_rows(
    measured: Sequence[Measured], base: str | None = None
) -> dict[Conditions, list[Row]]:
    """Group runs into rows, and rows into one table for each set of conditions.

    Args:
        measured: the runs that `collect` found
        base: label of the row that all others are compared with; None means the row that each
            run's `compared_with` names

    Returns:
        the rows of each table by their conditions, each row after the row it is compared with

    Raises:
        InputError: no row can be compared with `base`, or runs with equal hashes have different
            images.
    """
    rows = [Row(runs, runs[0].row) for runs in _runs_by_setting(measured)]
    _label_by_method(rows)
    tables = _by_conditions(rows)
    for table in tables.values():
        _label_by_setting(table)
        _number_repeats(table)
        _check_same_images(table)
        _set_bases(table, base)
    if base is not None:
        _check_base_is_used(rows, base)
    return {conditions: _ordered(tables[conditions]) for conditions in sorted(tables)}


def _runs_by_setting(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Group runs that differ only in their seeds; where a seed repeats, each run is a group."""
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


def _label_by_method(rows: Sequence[Row]) -> None:
    """Add the keys of the method in which rows of one label differ, over all tables.

    A label then stands for the same method in every table.
    """
    for same in _sharing_label(rows):
        _add_differences(same, lambda row: method_part(row.runs[0].setting))


def _by_conditions(rows: Iterable[Row]) -> dict[Conditions, list[Row]]:
    tables = defaultdict(list)
    for row in rows:
        tables[row.runs[0].conditions].append(row)
    return tables


def _label_by_setting(table: Sequence[Row]) -> None:
    """Add all keys in which rows of a table that still share a label differ."""
    for same in _sharing_label(table):
        _add_differences(same, lambda row: row.runs[0].setting)


def _number_repeats(table: Sequence[Row]) -> None:
    """Number the rows of a table whose label and setting are the same."""
    for same in _sharing_label(table):
        if len(same) > 1:
            for number, row in enumerate(same, 1):
                row.label += f" #{number}"
                row.repeated = True


def _sharing_label(rows: Iterable[Row]) -> list[list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.label].append(row)
    return list(groups.values())


def _add_differences(rows: Sequence[Row], setting_of: Callable[[Row], dict[str, str]]) -> None:
    texts = differences([setting_of(row) for row in rows])
    for row, text in zip(rows, texts, strict=True):
        row.label += f" ({text})" if text else ""


def _check_same_images(table: Sequence[Row]) -> None:
    first = table[0].runs[0]
    for run in (run for row in table for run in row.runs):
        if not np.array_equal(run.values["index"], first.values["index"]):
            raise InputError(
                f"{run.folder}/per_image.csv lists different images from "
                f"{first.folder}/per_image.csv although their holes have the same hash; "
                "test one of the two runs again"
            )


def _set_bases(table: Sequence[Row], base: str | None) -> None:
    """Set the base of each row for which exactly one row of the table has the base's name.

    Where several rows have it, the one of the same sweep is taken.
    """
    for row in table:
        name = base or row.runs[0].compared_with
        if name in (row.label, row.runs[0].row):
            continue
        named = [other for other in table if name in (other.label, other.runs[0].row)]
        same_sweep = [other for other in named if _sweep(other) == _sweep(row)]
        candidates = same_sweep if len(same_sweep) == 1 else named
        if len(candidates) == 1:
            row.base = candidates[0]


def _sweep(row: Row) -> str:
    return str(row.runs[0].folder.parent)


def _check_base_is_used(rows: Sequence[Row], base: str) -> None:
    if not any(row.base for row in rows):
        labels = sorted({row.label for row in rows})
        raise InputError(
            f"base={base}: no row can be compared with it; leave base out or type one of the rows "
            f"{labels}"
        )


def _ordered(table: Sequence[Row]) -> list[Row]:
    """Sort rows as their sweep ran them, with methods without training last.

    Rows that no sweep ran come after those: bases by their number of followers, then by name, each
    base before its followers.
    """

    def name(row: Row) -> list[tuple[str, int]]:
        # Numbers compare as numbers: 8 before 16.
        return [(text, int(part or -1)) for text, part in re.findall(r"(\D*)(\d*)", row.label)]

    def key(row: Row) -> tuple:
        base = row.base or row
        followers = sum(other.base is base for other in table)
        number = row.runs[0].number
        place = float("inf") if number is None else number
        return not row.trained, place, -followers, name(base), row.base is not None, name(row)

    return sorted(table, key=key)
