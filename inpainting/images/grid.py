"""Labelled grids of images: one row for each kind of image, one column for each image."""

from collections.abc import Mapping, Sequence
from math import ceil
from textwrap import wrap

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, LABEL_WIDTH = 4, 132  # px; long labels widen their column beyond LABEL_WIDTH
CAPTION = 18  # px, height of a line of numbers below images
HOLE = 1.0  # colour of the holes in every figure, as in a mask, whatever a method erases with
MARGIN = 8  # px left and right of a label, and between the labels of neighbouring rows
LINE = 12  # characters per line of a label; more if its lines would not fit the row
WHOLE_WORDS = {"break_long_words": False, "break_on_hyphens": False}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def image_grid(
    rows: dict[str, Tensor], cell: int = 128, numbers: Mapping[str, Sequence[str]] | None = None
) -> Image.Image:
    """Draw a grid of images with one labelled row per entry of `rows`.

    Args:
        rows: maps a label to images (N, C, h, w) in [0, 1]; the shape may differ between rows
        cell: side of each image in the grid, in pixels
        numbers: maps a label to a short text below each of its images; None draws none

    Returns:
        an RGB image
    """
    numbers = numbers or {}
    columns = max(len(row) for row in rows.values())
    font, small = ImageFont.load_default(size=15), ImageFont.load_default(size=12)
    texts = [_wrapped(label, font, cell) for label in rows]
    left = max(LABEL_WIDTH, *(_size(text, font)[0] + 2 * MARGIN for text in texts))
    heights = [cell + GAP + (CAPTION if numbers.get(label) else 0) for label in rows]
    grid = Image.new("RGB", (left + columns * (cell + GAP), sum(heights) + GAP), "white")
    draw, top = ImageDraw.Draw(grid), GAP
    for text, (label, images), height in zip(texts, rows.items(), heights, strict=True):
        draw.multiline_text((MARGIN, top + cell // 2), text, "black", font, anchor="lm")
        for c, image in enumerate(images):
            grid.paste(_tile(image, cell), (left + c * (cell + GAP), top))
        for c, number in enumerate(numbers.get(label, ())):
            middle = left + c * (cell + GAP) + cell // 2
            draw.text((middle, top + cell + CAPTION // 2), number, "black", small, anchor="mm")
        top += height
    return grid


def _size(text: str, font: Font) -> tuple[int, int]:
    """Return width and height of a text of one or more lines, in pixels."""
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox(
        (0, 0), text, font
    )
    return ceil(right - left), ceil(bottom - top)


def _wrapped(label: str, font: Font, height: int) -> str:
    """Wrap a label into short lines; lengthen them until the text fits `height` pixels."""
    characters = LINE
    while True:
        lines = wrap(label.replace("_", " "), characters, **WHOLE_WORDS)
        text = "\n".join(lines)
        if len(lines) < 2 or _size(text, font)[1] <= height - MARGIN:
            return text
        characters += 4


def _tile(image: Tensor, cell: int) -> Image.Image:
    """Convert (C, h, w) to a square; enlarging repeats pixels, so that each stays visible."""
    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    array = levels.permute(1, 2, 0).numpy()
    tile = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
    method = Image.Resampling.NEAREST if max(tile.size) <= cell else Image.Resampling.LANCZOS
    return tile.convert("RGB").resize((cell, cell), method)
