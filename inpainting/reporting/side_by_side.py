"""Grid of the same test images completed by every row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpainting.images.grid import HOLE, image_grid
from inpainting.images.saved import FOLDER, KINDS, saved_image, saved_indices
from inpainting.images.whole import check_whole_image
from inpainting.metrics.columns import Column
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Measured

COUNT, CELL = 8, 128  # number of images side by side, side of each in pixels

Shown = dict[str, Tensor]  # target, masked and completion, each (N, 3, H, W) in [0, 1]


def side_by_side(
    rows: Sequence[Row], columns: Sequence[Column]
) -> tuple[Image.Image | None, list[str]]:
    """Draw the targets, the masked images and the completions of every row's first seed.

    Args:
        rows: of one table
        columns: whose numbers stand below each completion, where they are measured of each image

    Returns:
        the grid, None if no row has saved images; and the labels of the rows that the grid leaves
        out, because they have no saved images or different ones from the first row
    """
    first: Shown | None = None
    drawn: dict[str, Tensor] = {}
    numbers: dict[str, list[str]] = {}
    left_out = []
    for row in rows:
        shown = _shown(row.runs[0].folder / FOLDER)
        if shown is None or (first is not None and not _same(shown["target"], first["target"])):
            left_out.append(row.label)
            continue
        if first is None:
            first = shown
            drawn = {"target": shown["target"], "masked image": shown["masked"]}
        drawn[row.label] = shown["completion"]
        numbers[row.label] = _numbers(row.runs[0], columns)
    return (image_grid(drawn, CELL, numbers) if drawn else None), left_out


def _numbers(run: Measured, columns: Sequence[Column]) -> list[str]:
    """Return a line for each saved image, such as "17.82 dB, 0.415"; [] if nothing is measured."""
    measured = [column for column in columns if column.name in run.values]
    places = {int(index): place for place, index in enumerate(run.values["index"])}
    lines = []
    for index in saved_indices(run.folder / FOLDER, "completion")[:COUNT] if measured else ():
        values = (
            (column, run.values[column.name][places[index]])
            for column in measured
            if index in places
        )
        texts = (column.with_unit(value) for column, value in values)
        lines.append(", ".join(text for text in texts if text))
    return lines


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _shown(folder: Path) -> Shown | None:
    """Read the first images that a test saved; None if a kind is missing."""
    found = {kind: saved_indices(folder, kind)[:COUNT] for kind in KINDS}
    if not all(found.values()):
        return None
    return {
        kind: torch.stack([_read(saved_image(folder, index, kind)) for index in indices])
        for kind, indices in found.items()
    }


def _read(path: Path) -> Tensor:
    """Read an image, (3, H, W) in [0, 1], with its holes, which are transparent, in `HOLE`."""
    check_whole_image(path)
    with Image.open(path) as image:
        whole = Image.new("RGBA", image.size, (round(255 * HOLE),) * 3)
        whole.alpha_composite(image.convert("RGBA"))
    return torch.from_numpy(np.array(whole.convert("RGB"))).permute(2, 0, 1) / 255
