"""The same test images through every row, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpainting.images.grid import image_grid
from inpainting.images.saved import FOLDER, KINDS, saved_image, saved_indices
from inpainting.reporting.rows import Row

COUNT, CELL = 8, 128  # images side by side, px of each

Shown = dict[str, Tensor]  # target, masked and completion, each (N, C, H, W) in [0, 1]


def side_by_side(rows: Sequence[Row]) -> tuple[Image.Image | None, list[str]]:
    """Target, masked input, then every row's completion, of its first seed.

    Returns:
        the grid, None where no row has images; and the labels of rows that are not in it: they
        have none, or others than the first row
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
            drawn = {"target": shown["target"], "masked input": shown["masked"]}
        drawn[row.label] = shown["completion"]
    return (image_grid(drawn, CELL) if drawn else None), left_out


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _shown(folder: Path) -> Shown | None:
    """The first single images of a test."""
    found = {kind: saved_indices(folder, kind)[:COUNT] for kind in KINDS}
    if not all(found.values()):
        return None
    return {
        kind: torch.stack([_read(saved_image(folder, index, kind)) for index in indices])
        for kind, indices in found.items()
    }


def _read(path: Path) -> Tensor:
    """(3, H, W); what is transparent becomes white, as holes are."""
    with Image.open(path) as image:
        whole = Image.new("RGBA", image.size, "white")
        whole.alpha_composite(image.convert("RGBA"))
    return torch.from_numpy(np.array(whole.convert("RGB"))).permute(2, 0, 1) / 255
