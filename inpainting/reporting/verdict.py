"""What a table says, in sentences: which rows differ for certain, which is best, what is open."""

from collections.abc import Sequence

import numpy as np

from inpainting.metrics.columns import Column
from inpainting.reporting.intervals import (
    best_first,
    certainly_best,
    difference,
    gap_to_base,
    seeds_to_decide,
)
from inpainting.reporting.rows import Row

MOST = 30  # seeds; who needs more will rather change something else


def verdict(rows: Sequence[Row], compared: Sequence[Column]) -> list[str]:
    """Return the verdict on the first compared metric, or an empty list if rows do not compete.

    Args:
        rows: of one table
        compared: the metrics of the table's comparisons
    """
    if not compared or len(rows) < 2:
        return []
    column = compared[0]
    sentences = [_against_bases(rows, column), _best(rows, column), _open(rows, column)]
    return [sentence for sentence in sentences if sentence]


def missing_floor(rows: Sequence[Row]) -> list[str]:
    """Return a sentence with the command that tests classical fills on these holes, if none were.

    The list is empty where there are some, or where nothing was filled.
    """
    first = rows[0].runs[0]
    unfilled = first.details.get("n_without_hole") == first.details["n"]
    if unfilled or any(not row.trained for row in rows):
        return []
    return [
        "No fill without training was tested on these holes. Seconds add three, and the next "
        "report takes them up: python -m inpainting.evaluate model=telea "
        f'"against=[mean_fill,navier_stokes]" holes_of={first.folder} '
        f"hydra.run.dir={first.folder.parent / 'floor'}"
    ]


def _against_bases(rows: Sequence[Row], column: Column) -> str:
    """Name the rows that differ from their base: for certain, or as they were trained here."""
    followers = [row for row in rows if row.base]
    gaps = {row: gap_to_base(row, rows, column.name) for row in followers}
    if not followers:
        return ""
    sentences = []
    for seeds, opening in ((True, "For certain"), (False, "As trained here, with one seed,")):
        own = {row: gap for row, gap in gaps.items() if gap and gap.certain and gap.seeds == seeds}
        parts = []
        for kind, sign in (("better", 1), ("worse", -1)):
            sign = sign if column.direction == "max" else -sign
            found = [
                f"{row.label} ({column.with_unit(gap.mean, signed=True)})"
                for row, gap in own.items()
                if gap.mean * sign > 0
            ]
            if found:
                parts.append(f"{kind} than the base: {', '.join(found)}")
        if parts:
            sentences.append(f"{opening} in {column.heading} {'; '.join(parts)}.")
    return " ".join(sentences) or f"No {column.heading} differs from its base for certain."


def _best(rows: Sequence[Row], column: Column) -> str:
    """Name the best row, and whether its lead is certain."""
    rivals = [row for row in rows if not np.isnan(row.mean(column.name))]
    if len(rivals) < 2:
        return ""
    best, second, *_ = best_first(rivals, column)
    gap = difference(best, second, column.name, len(rivals) - 1)
    text = f"Best is {best.label} with {column.with_unit(best.mean(column.name))}"
    if gap is None:
        return f"{text}."
    if certainly_best(rivals, column) is not best:
        lead = column.with_unit(abs(gap.mean))
        return f"{text}; its lead of {lead} over {second.label} is not certain."
    single = "" if gap.seeds else ", as trained here"
    return f"{text}, ahead of every other row{single or ' for certain'}."


def _open(rows: Sequence[Row], column: Column) -> str:
    """Name the differences that are open, and say how many seeds would probably decide them."""
    texts, single = [], []
    for row in rows:
        gap = gap_to_base(row, rows, column.name)
        if gap is None:
            continue
        if not gap.seeds:
            single.append(row.label)
        elif not gap.certain:
            number = seeds_to_decide(row, rows, column.name, MOST)
            texts.append(f"{row.label} ({f'more than {MOST}' if number is None else number})")
    sentences = []
    if texts:
        sentences.append(
            "Still open; if the differences are what they seem, so many seeds of each row would "
            f"decide: {', '.join(texts)}."
        )
    if single:
        names = (
            "every row" if len(single) == sum(bool(row.base) for row in rows) else ", ".join(single)
        )
        sentences.append(
            f"One seed says nothing about another training ({names}): type seed=0,1,2."
        )
    return " ".join(sentences)
