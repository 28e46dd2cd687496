"""Labelled grids of pictures: one row a kind, one column a picture."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, LABEL_WIDTH = 4, 132


def picture_grid(rows: dict[str, Tensor], cell: int = 128) -> Image.Image:
    """Draw pictures in labelled rows.

    Args:
        rows: label to (N, C, h, w) in [0, 1]; sizes may differ from row to row
        cell: side of a picture in the grid, in pixels

    Returns:
        an RGB picture
    """
    columns = max(len(pictures) for pictures in rows.values())
    size = (LABEL_WIDTH + columns * (cell + GAP), len(rows) * (cell + GAP) + GAP)
    grid = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(size=15)
    for r, (label, pictures) in enumerate(rows.items()):
        top = GAP + r * (cell + GAP)
        lines = label.replace("_", " ").split(" ")
        text = "\n".join(lines)
        draw.multiline_text((8, top + cell // 2), text, "black", font, anchor="lm")
        for c, picture in enumerate(pictures):
            grid.paste(_tile(picture, cell), (LABEL_WIDTH + c * (cell + GAP), top))
    return grid


def _tile(picture: Tensor, cell: int) -> Image.Image:
    """(C, h, w) to a square; enlarged by repeating pixels, so that they can be seen."""
    levels = (picture.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    array = levels.permute(1, 2, 0).numpy()
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
    method = Image.Resampling.NEAREST if max(image.size) <= cell else Image.Resampling.LANCZOS
    return image.convert("RGB").resize((cell, cell), method)
