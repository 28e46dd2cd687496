"""The contact sheet: photographs that were kept and left out, with the boxes that decided."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from inpainting.data.listing import Listing
from inpainting.images.files import read_shrunk
from inpainting.images.grid import image_grid
from inpainting.preparing.people import People
from inpainting.preparing.selection import Selection

COLUMNS, CELL = 12, 176  # photographs in a row, and the side of each in pixels
ABOVE, BELOW = "red", "orange"  # boxes that led to leaving the photograph out, and that did not


def contact_sheet(
    listing: Listing, selection: Selection, people: People | None, threshold: float, seed: int
) -> Image.Image:
    """Draw photographs in rows: left out and kept, near the threshold and at random.

    Args:
        listing: the image files
        selection: what was kept
        people: what a detector found, or None
        threshold: lowest score of a photograph that was left out
        seed: draws those that are shown at random
    """
    random = np.random.default_rng(seed)
    kept = np.flatnonzero(selection.kept)
    rows = {"kept: drawn at random": random.permutation(kept)[:COLUMNS]}
    if people is not None:
        scores = people.scores
        out = np.flatnonzero(selection.with_people & ~selection.broken)
        lowest = out[np.argsort(scores[out], kind="stable")]
        highest = kept[np.argsort(-scores[kept], kind="stable")]
        rows |= {
            "kept: the highest scores": highest[scores[highest] > 0][:COLUMNS],
            "left out: the lowest scores": lowest[:COLUMNS],
            "left out: drawn at random": random.permutation(out)[:COLUMNS],
        }
    drawn = {
        label: torch.stack([_drawn(listing, index, people, threshold) for index in indices])
        for label, indices in rows.items()
        if len(indices)
    }
    return image_grid(drawn, CELL)


def _drawn(listing: Listing, index: int, people: People | None, threshold: float) -> Tensor:
    """Return a photograph with its boxes and its score, (3, CELL, CELL) in [0, 1]."""
    found = people.of(index) if people is not None else np.empty((0, 5))
    boxes = [  # the highest score is drawn last
        (box, ABOVE if score >= threshold else BELOW) for score, *box in found[::-1].tolist()
    ]
    text = f"{found[0, 0]:.2f}" if len(found) else ""
    return framed(Path(listing.root, listing.files[index]), boxes, CELL, text)


def framed(
    path: Path, boxes: Sequence[tuple[Sequence[float], str]], cell: int, text: str = ""
) -> Tensor:
    """Return a photograph with boxes on it, (3, cell, cell) in [0, 1].

    Args:
        path: the file
        boxes: the edges of each (left, top, right, bottom), as shares of the sides, and its colour
        cell: side of the square that the photograph is fitted into, in pixels
        text: in the upper left corner
    """
    pixels = read_shrunk(path, cell)
    height, width = pixels.shape[:2]
    tile = Image.new("RGB", (cell, cell), "lightgrey")
    left, top = (cell - width) // 2, (cell - height) // 2
    tile.paste(Image.fromarray(pixels), (left, top))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(size=14)
    for (x0, y0, x1, y1), colour in boxes:
        edges = (left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height)
        draw.rectangle(edges, outline=colour, width=2)
    if text:
        draw.rectangle((0, 0, 34, 17), fill="black")
        draw.text((3, 0), text, "white", font)
    return torch.from_numpy(np.array(tile)).permute(2, 0, 1) / 255
