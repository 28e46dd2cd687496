"""Two detectors of people compared: on which photographs they disagree, and what these show."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from inpainting.atomic import replacing
from inpainting.data.arrays import TEXT
from inpainting.errors import InputError
from inpainting.images.grid import image_grid
from inpainting.preparing.sheet import framed
from inpainting.preparing.writing import PEOPLE, row_of, write_table

TABLE, SHEET = "disagreements.csv", "disagreements.png"
HERE, THERE = "red", "cyan"  # boxes of this preparation, and of the other one
BOX = ("score", "left", "top", "right", "bottom")
COLUMNS, CELL = 8, 256  # photographs in a row, and the side of each in pixels: people may be small


@dataclass(frozen=True)
class Noted:
    """What a preparation has noted of one photograph.

    Attributes:
        score: the highest score of a person
        box: left, top, right and bottom of that person as shares of the sides; empty for nobody
    """

    score: float
    box: tuple[float, ...]


People = dict[str, Noted]  # by the name of the file


def read_people(folder: Path) -> People:
    """Read what a preparation has noted of each photograph.

    Raises:
        InputError: the folder has no readable table of people.
    """
    path = folder / PEOPLE
    try:
        with open(path, **TEXT) as file:
            return {
                row["file"]: Noted(float(row["score"]), _box([row[name] for name in BOX[1:]]))
                for row in csv.DictReader(file)
                if row["split"] != "broken"
            }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"against={folder}: {path.name} there cannot be read ({error}): type a folder that "
            "prepare wrote with a detector"
        ) from error


def _box(edges: Sequence[str]) -> tuple[float, ...]:
    return tuple(map(float, edges)) if all(edges) else ()


def compare(out: Path, root: Path, against: Path, other: People, threshold: float) -> str:
    """Write a table and a sheet of the photographs on which two preparations disagree.

    Args:
        out: the folder of a finished preparation, which they are added to
        root: the folder of the photographs
        against: the folder of the other preparation, for messages
        other: what it has noted
        threshold: lowest score of a photograph with people, for both

    Returns:
        a sentence with the counts

    Raises:
        InputError: the two have no photograph in common.
    """
    here = read_people(out)
    common = [file for file in here if file in other]
    if not common:
        raise InputError(
            f"against={against} has none of these photographs: type a folder that was prepared "
            "from the same data.root"
        )
    alone: dict[bool, list[str]] = {True: [], False: []}  # left out here, or there
    for file in common:
        if (here[file].score >= threshold) != (other[file].score >= threshold):
            alone[here[file].score >= threshold].append(file)
    for files in alone.values():  # first what one detector is sure of and the other does not see
        files.sort(key=lambda file: -abs(here[file].score - other[file].score))
    differ = [*alone[True], *alone[False]]
    with replacing(out / TABLE, **TEXT) as file:
        header = ("file", *BOX, *(f"other_{name}" for name in BOX))
        cells = ((one, *_cells(here[one]), *_cells(other[one])) for one in differ)
        write_table(file, header, cells)
    (out / SHEET).unlink(missing_ok=True)
    if differ:
        _sheet(root, alone, here, other).save(out / SHEET)
    share = f"{len(differ):,} of {len(common):,} photographs ({len(differ) / len(common):.1%})"
    seen = f". Look at {out / SHEET}" if differ else ""
    return (
        f"The detectors disagree on {share} at a score of {threshold:g}. Left out here alone: "
        f"{len(alone[True]):,}, in {against} alone: {len(alone[False]):,}{seen}"
    )


def _cells(noted: Noted) -> list[str]:
    return row_of((noted.score, *noted.box))


def _sheet(root: Path, alone: dict[bool, list[str]], here: People, other: People) -> Image.Image:
    """Draw photographs that one of two detectors leaves out, with the boxes and scores of both."""

    def drawn(file: str) -> Tensor:
        boxes = [(noted[file].box, colour) for noted, colour in ((other, THERE), (here, HERE))]
        return framed(root / file, [(box, colour) for box, colour in boxes if box], CELL)

    rows, scores = {}, {}
    for first, where in ((True, "here (red)"), (False, "there (cyan)")):
        files = alone[first]
        parts = {"the surest": files[:COLUMNS], "the least sure": files[COLUMNS:][-COLUMNS:]}
        for part, names in parts.items():
            if names:
                label = f"left out {where} alone: {part}"
                rows[label] = torch.stack([drawn(file) for file in names])
                scores[label] = [f"{here[one].score:.2f}, {other[one].score:.2f}" for one in names]
    return image_grid(rows, CELL, scores)
