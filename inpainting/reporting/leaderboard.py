"""A table of methods by data and holes, from the true images down to methods without training."""

from collections.abc import Sequence

from inpainting.metrics.columns import Column
from inpainting.reporting.cells import EMPTY, Cell, with_deviation
from inpainting.reporting.findings import Findings
from inpainting.reporting.intervals import best_first, certainly_best
from inpainting.reporting.rows import Row
from inpainting.reporting.tables import Table, tabled_columns, title_of

TRUTH = "truth (ceiling)"


def leaderboard(findings: Findings) -> Table:
    """Return a line for each method and a column for each compared metric of each table.

    The best method of the first column comes first. Numbers of one column were measured on the
    same images and holes; numbers of different columns are not compared.
    """
    tables = findings.tables
    header, notes, columns = ["method"], [], []
    for i, (conditions, rows) in enumerate(tables.items(), 1):
        title = f"{title_of(rows)} ({i})" if len(tables) > 1 else title_of(rows)
        notes.append(f"{title}: hash {conditions.mask_hash}, {conditions.measured_with}.")
        for column in tabled_columns(rows):
            if column.name not in findings.metrics:
                continue
            header.append(f"{column.title}: {title}" if len(tables) > 1 else column.title)
            columns.append((column, rows, certainly_best(rows, column)))
    lines = [[Cell(TRUTH), *(Cell(column.text(column.truth)) for column, *_ in columns)]]
    for name in _ranked(columns):
        cells = [Cell(name)]
        for column, rows, best in columns:
            found = [row for row in rows if _name(row) == name]
            text = with_deviation(found[0], column) if found else EMPTY
            cells.append(Cell(text, bool(found) and found[0] is best))
        lines.append(cells)
    notes.append(
        "Bold is the best method of a column where its advantage over every other method is "
        "certain, by the rule of the tables of settings. Methods without training are the floor."
    )
    return Table("Leaderboard", header, lines, notes)


def _name(row: Row) -> str:
    return row.label if row.trained else f"{row.label} (floor)"


def _ranked(columns: Sequence[tuple[Column, Sequence[Row], Row | None]]) -> list[str]:
    """Order names by their numbers in the first column that has them."""
    names: dict[str, None] = {}
    for column, rows, _ in columns:
        names |= dict.fromkeys(_name(row) for row in best_first(rows, column))
    return list(names)
