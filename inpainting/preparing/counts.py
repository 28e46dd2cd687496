"""How many images were listed, left out and kept: report 004's 244,457 to 203,180, and by class."""

import csv
from pathlib import Path

import numpy as np

from inpainting.data.arrays import SPLITS, TEXT
from inpainting.preparing.people import People
from inpainting.preparing.selection import Selection

THRESHOLDS = (0.1, 0.25, 0.5)  # the shares kept at these show how much depends on the threshold


def counts_table(
    selection: Selection, people: People | None, threshold: float, near: int | None
) -> str:
    """Return a Markdown table of the counts.

    Args:
        selection: what was kept
        people: what a detector found, or None
        threshold: lowest score of an image that was left out
        near: number of near-duplicate pairs across splits, or None if they were not looked for
    """
    listed, broken = len(selection.broken), int(selection.broken.sum())
    readable = ~selection.broken
    found = int((selection.with_people & readable).sum())
    rows = [("listed", listed)]
    rows += [("cannot be read", -broken)] if broken else []
    rows += [(f"with people (score {threshold:g} or more)", -found)] if people is not None else []
    rows += [("kept", int(selection.kept.sum()))]
    rows += [(name, len(selection.splits[name])) for name in SPLITS]
    lines = ["| images | number | share |", "| --- | ---: | ---: |"]
    lines += [
        f"| {name} | {number:,} | {abs(number) / listed:.1%} |".replace("| -", "| −")
        for name, number in rows
    ]
    if people is not None:
        scores = people.scores[readable]
        shares = [f"{(scores < one).mean():.1%} at {one:g}" for one in THRESHOLDS]
        lines += ["", f"Kept at other thresholds: {', '.join(shares)}."]
    if near is not None:
        lines += ["", f"Near-duplicates in two splits: {near:,} pairs, see near_duplicates.csv."]
    return "\n".join(lines) + "\n"


def write_class_counts(path: Path, classes: list[str], selection: Selection) -> None:
    """Write the counts of each class as a csv."""
    names, numbers = np.unique(np.array(classes, dtype=object), return_inverse=True)
    columns = {
        "listed": np.ones(len(classes), bool),
        "broken": selection.broken,
        "people": selection.with_people & ~selection.broken,
        "kept": selection.kept,
    }
    counted = {
        name: np.bincount(numbers[chosen], minlength=len(names)) for name, chosen in columns.items()
    }
    for split, indices in selection.splits.items():
        counted[split] = np.bincount(numbers[indices], minlength=len(names))
    with open(path, "w", **TEXT) as file:
        table = csv.writer(file)
        table.writerow(["class", *counted])
        for row, name in enumerate(names):
            table.writerow([name, *(int(values[row]) for values in counted.values())])
