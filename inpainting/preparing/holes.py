"""The boxes of the fixed holes and of their local crops, as columns of a csv."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from inpainting.data.dataset import draw_masks
from inpainting.images.crops import local_corners, local_size
from inpainting.masks.drawing import Kind

NAMES = [
    f"{what}_{side}" for what in ("hole", "local") for side in ("top", "left", "height", "width")
]
CHUNK = 1024  # images whose holes are drawn at a time; bounds the memory


def hole_columns(
    mask: Kind, files: Sequence[str], side: int, local_share: float, *key: int
) -> Iterator[dict[str, int | str]]:
    """Yield for each image of a split the boxes around its hole and of its local crop, in pixels.

    Args:
        mask: kind of hole
        files: names of the images
        side: of the images, in pixels
        local_share: side of the local crop as a share of the image's
        *key: integers that seed the holes together with the index, as in `draw_masks`
    """
    height, width = local_size(side, side, local_share)
    for start in range(0, len(files), CHUNK):
        part = files[start : start + CHUNK]
        masks = draw_masks(mask, len(part), side, side, *key, files=part, first=start)
        corners = local_corners(torch.from_numpy(masks)[:, None], (height, width)).tolist()
        for box, (top, left) in zip(bounding_boxes(masks > 0), corners, strict=True):
            numbers = [*(box or [""] * 4), top, left, height, width]
            yield dict(zip(NAMES, numbers, strict=True))


def bounding_boxes(holes: np.ndarray) -> list[list[int]]:
    """Return top, left, height and width of the box around each hole, none where there is no hole.

    Args:
        holes: (N, H, W) bool
    """
    starts, sides = [], []
    for axis in (2, 1):
        covered = holes.any(axis)  # (N, H), then (N, W)
        first, last = covered.argmax(1), covered.shape[1] - covered[:, ::-1].argmax(1)
        starts.append(first)
        sides.append(last - first)
    there = holes.any((1, 2)).tolist()
    boxes = np.stack([*starts, *sides], axis=1).tolist()
    return [box if hole else [] for box, hole in zip(boxes, there, strict=True)]
