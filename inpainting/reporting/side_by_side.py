"""Grid of the same test images completed by every row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpainting.images.grid import image_grid
from inpainting.images.saved import FOLDER, KINDS, saved_image, saved_indices
from inpainting.images.whole import check_whole_image
from inpainting.reporting.rows import Row

COUNT, CELL = 8, 128  # number of images side by side, side of each in pixels

Shown = dict[str, Tensor]  # target, masked and completion, each (N, 3, H, W) in [0, 1]


def side_by_side(rows: Sequence[Row]) -> tuple[Image.Image | None, list[str]]:
    """Draw the targets, the masked images and the completions of every row's first seed.

    Returns:
        the grid, None if no row has saved images; and the labels of the rows that the grid leaves
        out, because they have no saved images or different ones from the first row
    """
    first: Shown | None = None
    drawn: dict[str, Tensor] = {}
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
    return (image_grid(drawn, CELL) if drawn else None), left_out


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
    """Read an image, (3, H, W) in [0, 1], with transparent pixels, which are holes, in white."""
    check_whole_image(path)
    with Image.open(path) as image:
        whole = Image.new("RGBA", image.size, "white")
        whole.alpha_composite(image.convert("RGBA"))
    return torch.from_numpy(np.array(whole.convert("RGB"))).permute(2, 0, 1) / 255
