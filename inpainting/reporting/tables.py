"""A report's tables: cells with the best in bold, and a caption that says what they stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from inpainting.metrics.columns import Column, ranked
from inpainting.reporting.cells import EMPTY, Cell, duration, with_deviation, with_interval
from inpainting.reporting.human import Panel
from inpainting.reporting.intervals import certainly_best, difference
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Missing

CellOf = Callable[[Row], Cell]


@dataclass
class Table:
    """Cells under a header.

    Args:
        title: what it shows
        header: names of the columns; the first one names the line
        lines: cells, as many a line as the header has
        notes: sentences of the caption
        brief: columns for a terminal
    """

    title: str
    header: list[str]
    lines: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    brief: list[str] = field(default_factory=list)


def tabled_columns(rows: Sequence[Row]) -> list[Column]:
    """What any row has measured and tables show."""
    found = {name: one for row in rows for run in row.runs for name, one in run.columns.items()}
    return ranked(found)


def settings_table(
    rows: Sequence[Row], compared: Sequence[str], panel: Panel, missing: Sequence[Missing]
) -> Table:
    """A line for each setting, then the methods without training as a floor.

    Args:
        rows: of the same conditions
        compared: metrics whose difference to the base row is given
        panel: what people scored
        missing: jobs without numbers; a setting that has no other gets an empty line
    """
    measured = tabled_columns(rows)
    has_base = any(row.base for row in rows)
    compared = [one for one in measured if one.name in compared] if has_base else []
    columns: dict[str, CellOf] = {
        "setting": lambda row: Cell(row.label),
        "seeds": lambda row: Cell(_seeds(row, missing)),
    }
    if has_base:
        columns["compared with"] = lambda row: Cell(row.base.label if row.base else EMPTY)
    columns |= {one.heading: _means(rows, one) for one in measured}
    gains = {f"{one.heading} − base": _gains(one) for one in compared}
    columns |= gains | _human(rows, panel)
    if any(row.detail("network_calls") > 0 for row in rows):
        columns["network calls"] = lambda row: Cell(_calls(row))
    columns["images"] = lambda row: Cell(str(row.runs[0].conditions.n))
    columns["time"] = lambda row: Cell(duration(row.detail("train_seconds")))
    lines = [[cell(row) for cell in columns.values()] for row in rows]
    lines += _empty_lines(rows, missing, len(columns))
    brief = [
        "setting",
        "seeds",
        *(one.heading for one in compared or measured if one.brief),
        *gains,
    ]
    brief += [name for name in ("network calls",) if name in columns]
    return Table(title_of(rows), list(columns), lines, brief=brief)


def _calls(row: Row) -> str:
    """Of one filling, where the method samples."""
    calls = row.detail("network_calls")
    return EMPTY if np.isnan(calls) else f"{calls:,.0f}"


def _means(rows: Sequence[Row], column: Column) -> CellOf:
    """Settings compete with one another; a floor only where there is nothing else."""
    best = certainly_best([row for row in rows if row.trained] or rows, column)
    return lambda row: Cell(with_deviation(row, column), row is best)


def _gains(column: Column) -> CellOf:
    def cell(row: Row) -> Cell:
        gap = difference(row, row.base, column.name) if row.base else None
        return Cell(with_interval(gap, column))

    return cell


def _human(rows: Sequence[Row], panel: Panel) -> dict[str, CellOf]:
    """The columns that report 004 had, where anybody scored these rows."""
    judged = {row: panel.of(row) for row in rows}
    if not any(judged.values()):
        return {}

    def column(name: str) -> CellOf:
        def cell(row: Row) -> Cell:
            value = getattr(judged[row], name) if judged[row] else float("nan")
            return Cell(EMPTY if np.isnan(value) else f"{value:.2f}")

        return cell

    names = {"local": "local_score", "global": "global_score"}
    names |= {"average": "average", "agreement": "agreement"}
    return {f"human {name}": column(attribute) for name, attribute in names.items()}


def _empty_lines(rows: Sequence[Row], missing: Sequence[Missing], width: int) -> list[list[Cell]]:
    """Settings of the same sweep without a single finished job."""
    places = {run.folder.parent for row in rows for run in row.runs}
    here = [job.row for job in missing if job.folder.parent in places]
    absent = dict.fromkeys(name for name in here if all(name != row.runs[0].row for row in rows))
    blank = [Cell(EMPTY)] * (width - 2)
    return [[Cell(name), Cell(f"0 of {here.count(name)}"), *blank] for name in absent]


def _seeds(row: Row, missing: Sequence[Missing]) -> str:
    if not row.trained:
        return EMPTY
    places = {run.folder.parent for run in row.runs}
    absent = sum(m.row == row.runs[0].row and m.folder.parent in places for m in missing)
    return f"{len(row.runs)} of {len(row.runs) + absent}" if absent else str(len(row.runs))


def title_of(rows: Sequence[Row]) -> str:
    """Data, kind of hole and number of images."""
    first = rows[0].runs[0]
    holes = first.mask or str(first.details.get("mask", "")).split("(")[0]
    return f"{first.data}, holes {holes}, {first.conditions.n} images"
