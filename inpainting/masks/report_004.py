"""The holes of student report 004: drawn as its authors drew them, or read from their csv files.

The authors draw two rows and two columns from 0 to 62 until both pairs lie 19 to 25 apart; the
hole reaches from one to the other, both included. So its sides have 20 to 26 of 64 px, shorter ones
a little more often, and no hole touches the last row or column, which are never drawn.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.masks.drawing import spans, to_pixels, uniform_inclusive

# The authors' files have the name, two corners of the hole and two of the local crop, where x is a
# row and y a column, both included. The files of `prepare` have the box of the hole instead.
AUTHORS = ("file", "x1", "y1", "x2", "y2")
OURS = ("file", "hole_top", "hole_left", "hole_height", "hole_width")
# File names on Linux are bytes; surrogateescape keeps those that are not UTF-8 intact.
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


@dataclass(frozen=True)
class Report004:
    """Rectangles between two corners, each drawn anywhere but in the last row and column.

    Attributes:
        min_side: smallest side; a whole number of pixels, or a share of the image's side
        max_side: largest side
        table: a csv file of holes, or a folder of such files, as the authors' or those of
            `prepare`. An image that is listed by its name then has its own hole in validation,
            test and wherever holes are fixed; holes for training are drawn from the table.
            None draws all holes
    """

    min_side: float = 0.3125
    max_side: float = 0.40625
    table: str | None = None

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        if self.table is not None:
            boxes = _read_table(self.table).on(height, width, self.table).to(generator.device)
            drawn = boxes[uniform_inclusive(0, len(boxes) - 1, (batch_size,), generator)]
            return _filled(drawn, height, width)
        rows, columns = (self._axis(batch_size, side, generator) for side in (height, width))
        return (rows[:, :, None] * columns[:, None, :])[:, None]

    def _axis(self, batch_size: int, side: int, generator: Generator) -> Tensor:
        """Draw the part of one axis that the holes cover, (B, side) of 0 and 1."""
        low = to_pixels(self.min_side, side, "mask.min_side")
        high = to_pixels(self.max_side, side, "mask.max_side")
        if not low <= high < side:
            raise InputError(
                f"mask.min_side={self.min_side} and mask.max_side={self.max_side} do not fit "
                f"images of {side} px without their last row and column: type smaller sides"
            )
        lengths = torch.arange(low, high + 1, device=generator.device)
        # As many pairs of positions from 0 to side - 2 lie `length` - 1 apart.
        pairs = (side - lengths).float()
        chosen = torch.multinomial(pairs, batch_size, replacement=True, generator=generator)
        length = lengths[chosen]
        start = uniform_inclusive(0, side - 1 - length, (batch_size,), generator)
        return spans(start, length, side)

    def of_files(self, files: list[str], height: int, width: int) -> np.ndarray | None:
        """Return the holes that the table lists for these images.

        Args:
            files: names of the images, with forward slashes
            height: of the images, in pixels
            width: of the images, in pixels

        Returns:
            (N, H, W) uint8, 255 = hole; None if there is no table

        Raises:
            InputError: an image is not listed, or its hole does not fit.
        """
        if self.table is None:
            return None
        listed = _read_table(self.table)
        boxes = listed.on(height, width, self.table)
        rows = [listed.row(file, self.table) for file in files]
        masks = np.zeros((len(files), height, width), np.uint8)
        for mask, (top, left, tall, wide) in zip(masks, boxes[rows].tolist(), strict=True):
            mask[top : top + tall, left : left + wide] = 255
        return masks


@dataclass(frozen=True)
class _Listed:
    """The holes of a table.

    Attributes:
        boxes: (N, 4) int64; top, left, height and width
        rows: the row of each file, by its name; -1 for a bare name that several files share
    """

    boxes: Tensor
    rows: dict[str, int]

    def on(self, height: int, width: int, table: str) -> Tensor:
        """Return the boxes if all of them fit images of this size."""
        top, left, tall, wide = self.boxes.unbind(1)
        fits = (top >= 0) & (left >= 0) & (tall > 0) & (wide > 0)
        fits &= (top + tall <= height) & (left + wide <= width)
        if not fits.all():
            row = int((~fits).nonzero()[0])
            box = self.boxes[row].tolist()
            raise InputError(
                f"mask.table={table}: the hole {row + 1} (top, left, height, width: {box}) does "
                f"not fit images of {height}x{width} px; type the table of these images"
            )
        return self.boxes

    def row(self, file: str, table: str) -> int:
        """Return the row of a file: by its whole name, or by its last part if that is unique."""
        row = self.rows.get(file, self.rows.get(PurePosixPath(file).name, -1))
        if row < 0:
            raise InputError(
                f"mask.table={table} lists no hole for {file}: type the table of these images, or "
                "mask.table=null to draw the holes"
            )
        return row


def _filled(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return masks of boxes (B, 4), (B, 1, H, W) float32."""
    top, left, tall, wide = boxes.unbind(1)
    return (spans(top, tall, height)[:, :, None] * spans(left, wide, width)[:, None, :])[:, None]


@lru_cache(maxsize=2)  # training and evaluation may use two tables
def _read_table(table: str) -> _Listed:
    """Read a csv file of holes, or all of a folder's.

    Raises:
        InputError: there is no such file, or it is no table of holes.
    """
    path = Path(table).expanduser()
    names = [path / f"{split}.csv" for split in ("train", "val", "test")]
    files = [name for name in names if name.is_file()] or sorted(path.glob("*.csv"))
    boxes: list[tuple[int, ...]] = []
    rows: dict[str, int] = {}
    for file in files if path.is_dir() else [path]:
        try:
            with open(file, **TEXT) as lines:
                for name, box in _holes(csv.reader(lines)):
                    rows[name] = len(boxes)
                    boxes.append(box)
        except (OSError, ValueError, IndexError) as error:
            raise InputError(
                f"mask.table={table}: {file} is no table of holes ({error}): its columns must be "
                f"{', '.join(AUTHORS)}, or those that prepare writes"
            ) from error
    if not boxes:
        raise InputError(
            f"mask.table={table} holds no table of holes: type a csv file or its folder"
        )
    bare: dict[str, int] = {}
    for name, row in rows.items():
        last = PurePosixPath(name).name
        bare[last] = -1 if last in bare else row
    return _Listed(torch.tensor(boxes, dtype=torch.int64), bare | rows)


def _holes(lines: Iterator[list[str]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the file and the box of each line of a table, whose header may be missing."""
    for number, line in enumerate(line for line in lines if line):
        if number == 0:
            header = [name.strip() for name in line]
            ours = set(OURS) <= set(header)
            named = ours or set(AUTHORS) <= set(header)
            places = [header.index(name) for name in (OURS if ours else AUTHORS)] if named else None
            if named:
                continue
        name, *numbers = (line[place] for place in places or range(len(AUTHORS)))
        first, second, third, fourth = map(int, numbers)
        if ours:
            yield name, (first, second, third, fourth)
        else:
            top, bottom = sorted((first, third))
            left, right = sorted((second, fourth))
            yield name, (top, left, bottom - top + 1, right - left + 1)
