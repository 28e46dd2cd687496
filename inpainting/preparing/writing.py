"""The tables beside the prepared arrays: people, broken files, near-duplicates."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from inpainting.data.arrays import TEXT
from inpainting.data.listing import Listing
from inpainting.preparing.near_duplicates import Pair
from inpainting.preparing.people import People
from inpainting.preparing.selection import Selection

PEOPLE = "people.csv"


def write_table(file: IO, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a csv; return the number of its rows."""
    count = 0
    table = csv.writer(file)
    table.writerow(header)
    for row in rows:
        table.writerow(row)
        count += 1
    return count


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    with open(path, "w", **TEXT) as file:
        return write_table(file, header, rows)


def row_of(found: Sequence[float]) -> list[str]:
    """Return the cells of a score and, unless nobody was found, of the edges of the person's box.

    A score has nine digits, which tell any two of 32 bits apart, so that rounding moves none across
    a threshold.
    """
    score, *edges = found
    return [f"{score:.9g}", *(f"{edge:.3f}" for edge in edges), *[""] * (4 - len(edges))]


def write_people(
    path: Path, listing: Listing, people: People, selection: Selection, threshold: float
) -> None:
    """Write a line for every photograph: its highest score, the persons, and where the first is.

    A photograph without a score above the detector's lowest has a score of 0.
    """

    def rows() -> Iterable[Sequence[Any]]:
        names = selection.names()
        for index, file in enumerate(listing.files):
            found = people.of(index)
            first = row_of(found[0].tolist() if len(found) else [0])
            persons = int((found[:, 0] >= threshold).sum())
            broken = "broken" if selection.broken[index] else ""
            yield file, first[0], persons, *first[1:], names[index] or broken or "left out"

    header = ("file", "score", "persons", "left", "top", "right", "bottom", "split")
    _write(path, header, rows())


def write_broken(path: Path, listing: Listing, broken: dict[int, str]) -> None:
    """Write a line for every file that cannot be read, with the reason."""
    rows = ((listing.files[index], reason) for index, reason in sorted(broken.items()))
    _write(path, ("file", "reason"), rows)


def write_near_duplicates(path: Path, listing: Listing, pairs: Iterable[Pair]) -> int:
    """Write a line for every pair; return their number."""
    rows = (
        (first[0], listing.files[first[1]], second[0], listing.files[second[1]], distance)
        for first, second, distance in pairs
    )
    return _write(path, ("split", "file", "other_split", "other_file", "distance"), rows)
