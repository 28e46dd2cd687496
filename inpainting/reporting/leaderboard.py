"""Methods in lines, data and holes in columns: what trained methods add to the classical fills."""

from collections.abc import Mapping, Sequence

from inpainting.metrics.columns import Column
from inpainting.reporting.cells import EMPTY, Cell, with_deviation
from inpainting.reporting.intervals import best_first, certainly_best
from inpainting.reporting.rows import Row
from inpainting.reporting.tables import Table, tabled_columns, title_of
from inpainting.runs.measured import Conditions

TRUTH = "truth (ceiling)"


def leaderboard(tables: Mapping[Conditions, Sequence[Row]], metrics: Sequence[str]) -> Table:
    """Best first by the first column; a column for each metric under each conditions.

    Numbers of one column were made on the same images with the same holes; those of different
    columns are not compared.

    Args:
        tables: rows by the conditions of their numbers
        metrics: what to show
    """
    header, notes, columns = ["method"], [], []
    for i, (key, rows) in enumerate(tables.items(), 1):
        place = f"{title_of(rows)} ({i})" if len(tables) > 1 else title_of(rows)
        notes.append(f"{place}: hash {key.mask_hash}, {key.measured_with}.")
        for column in (one for one in tabled_columns(rows) if one.name in metrics):
            header.append(f"{column.heading}: {place}" if len(tables) > 1 else column.heading)
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
        "Bold is the best of a column where its advantage over every other method is certain, by "
        "the same rule as in the tables of settings; methods without training are the floor."
    )
    return Table("Leaderboard", header, lines, notes)


def _name(row: Row) -> str:
    return row.label if row.trained else f"{row.label} (floor)"


def _ranked(columns: Sequence[tuple[Column, Sequence[Row], Row | None]]) -> list[str]:
    """Names by their numbers in the first column that has them."""
    names: dict[str, None] = {}
    for column, rows, _ in columns:
        names |= dict.fromkeys(_name(row) for row in best_first(rows, column))
    return list(names)
