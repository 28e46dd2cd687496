"""Tables of a report: cells, with the best in bold, under a header and above a caption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from inpainting.metrics.columns import Column, ranked
from inpainting.reporting.cells import EMPTY, Cell, duration, with_deviation, with_interval
from inpainting.reporting.findings import Findings
from inpainting.reporting.human import Panel
from inpainting.reporting.intervals import certainly_best, gap_to_base
from inpainting.reporting.rows import Row
from inpainting.reporting.verdict import missing_floor, verdict
from inpainting.runs.measured import Conditions, Missing

CellOf = Callable[[Row], Cell]


@dataclass
class Table:
    """Cells under a header.

    Args:
        title: what the table shows
        header: names of the columns; the first column names the line
        lines: cells of each line, as many as the header has names
        notes: sentences of the caption
        brief: names of the columns that a terminal or a page has room for; none means all
        verdict: what the table says, in sentences
    """

    title: str
    header: list[str]
    lines: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    brief: list[str] = field(default_factory=list)
    verdict: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[int]:
        """The places of the columns that a terminal or a page has room for."""
        return [i for i, name in enumerate(self.header) if name in (self.brief or self.header)]


def tabled_columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns that tables show and at least one row has measured."""
    found = {
        name: column for row in rows for run in row.runs for name, column in run.columns.items()
    }
    return ranked(found)


def settings_table(findings: Findings, conditions: Conditions) -> Table:
    """Return a table with a line for each setting, then the methods without training as a floor.

    A setting of the same sweeps whose jobs all lack numbers gets an empty line.

    Args:
        findings: everything that was found
        conditions: those of the table
    """
    rows, missing = findings.tables[conditions], findings.missing
    measured = tabled_columns(rows)
    has_base = any(row.base for row in rows)
    chosen = [column for column in measured if column.name in findings.metrics]
    compared = chosen if has_base else []
    columns: dict[str, CellOf] = {"setting": lambda row: Cell(row.label)}
    for column in measured:
        columns[column.title] = _means(rows, column)
        if column in compared:  # beside the number that it is about
            columns[_gain_title(column)] = _gains(rows, column)
    columns |= _human(rows, findings.panel)
    if has_base:
        columns["compared with"] = lambda row: Cell(row.base.label if row.base else EMPTY)
    columns["seeds"] = lambda row: Cell(_seeds(row, missing))
    if any(row.detail("network_calls") > 0 for row in rows):
        columns["network calls"] = lambda row: Cell(_calls(row))
    columns["time"] = lambda row: Cell(duration(row.detail("train_seconds")))
    lines = [[cell(row) for cell in columns.values()] for row in rows]
    lines += _empty_lines(rows, missing, list(columns))
    brief = [
        "setting",
        "seeds",
        *(column.title for column in compared or measured if column.brief),
        *map(_gain_title, compared),
    ]
    if "network calls" in columns:
        brief.append("network calls")
    said = [*verdict(rows, chosen), *missing_floor(rows)]
    return Table(title_of(rows), list(columns), lines, brief=brief, verdict=said)


def _calls(row: Row) -> str:
    """Return the network calls per completion; empty for a method that does not sample."""
    calls = row.detail("network_calls")
    return EMPTY if np.isnan(calls) else f"{calls:,.0f}"


def _gain_title(column: Column) -> str:
    return f"{column.heading} − base{f', {column.unit}' if column.unit else ''}"


def _means(rows: Sequence[Row], column: Column) -> CellOf:
    """Return the means, bold for the best setting; floors compete if there is no setting."""
    best = certainly_best([row for row in rows if row.trained] or rows, column)
    return lambda row: Cell(with_deviation(row, column), row is best)


def _gains(rows: Sequence[Row], column: Column) -> CellOf:
    return lambda row: Cell(with_interval(gap_to_base(row, rows, column.name), column))


def _human(rows: Sequence[Row], panel: Panel) -> dict[str, CellOf]:
    """Return the columns that report 004 had; empty if nobody scored these rows."""
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


def _empty_lines(
    rows: Sequence[Row], missing: Sequence[Missing], header: Sequence[str]
) -> list[list[Cell]]:
    """Return a line for each setting of the same sweeps without a finished job."""
    sweeps = {run.folder.parent for row in rows for run in row.runs}
    names = [job.row for job in missing if job.folder.parent in sweeps]
    absent = dict.fromkeys(name for name in names if all(name != row.runs[0].row for row in rows))
    lines = []
    for name in absent:
        known = {"setting": name, "seeds": f"0 of {names.count(name)}"}
        lines.append([Cell(known.get(column, EMPTY)) for column in header])
    return lines


def _seeds(row: Row, missing: Sequence[Missing]) -> str:
    if not row.trained:
        return EMPTY
    sweeps = {run.folder.parent for run in row.runs}
    absent = sum(job.row == row.runs[0].row and job.folder.parent in sweeps for job in missing)
    return f"{len(row.runs)} of {len(row.runs) + absent}" if absent else str(len(row.runs))


def title_of(rows: Sequence[Row]) -> str:
    """Return the data, the kind of hole and the number of images of a table."""
    first = rows[0].runs[0]
    holes = first.mask or str(first.details.get("mask", "")).split("(")[0]
    return f"{first.data}, holes {holes}, {first.conditions.n} images"
