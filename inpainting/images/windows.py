"""Windows around holes, and padding: for networks that take some sizes only."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Window(NamedTuple):
    """A rectangle of one image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns, to index an image with."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad bottom and right to a multiple, by reflection, or replication where too narrow."""
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def unpad(image: Tensor, height: int, width: int) -> Tensor:
    """Cut what `pad_to_multiple` added."""
    return image[..., :height, :width]


def _span(low: int, high: int, side: int, limit: int) -> tuple[int, int]:
    """Start and length of an interval of `side` centred on [low, high), inside [0, limit)."""
    side = min(max(side, high - low), limit)
    return min(max((low + high - side) // 2, 0), limit - side), side


def hole_windows(mask: Tensor, side: int, hole_share: float = 0.45) -> list[tuple[Window, Tensor]]:
    """Windows that cover all holes of one image, each hole wholly inside one of them.

    A window is `side` wide, or larger where its hole would fill more than `hole_share` of it, so
    that a network that is fed the (shrunk) window sees holes as large as those it was trained on.
    Holes that a window holds as well go with it, unless it would shrink them twice as much as
    their own window would.

    Args:
        mask: (1, H, W) of one image
        side: the side the network was trained on
        hole_share: largest hole side as a share of the window's

    Returns:
        pairs of a window and (H, W) bool: the hole pixels that this window is to fill
    """
    hole = (mask[0] > 0).cpu().numpy().astype(np.uint8)
    height, width = hole.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hole, connectivity=8)
    left, top, right, bottom = (
        stats[1:, cv2.CC_STAT_LEFT],
        stats[1:, cv2.CC_STAT_TOP],
        stats[1:, cv2.CC_STAT_LEFT] + stats[1:, cv2.CC_STAT_WIDTH],
        stats[1:, cv2.CC_STAT_TOP] + stats[1:, cv2.CC_STAT_HEIGHT],
    )
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    pending = np.ones(count - 1, dtype=bool)
    extent = np.maximum(bottom - top, right - left)
    wanted = np.maximum(side, np.ceil(extent / hole_share).astype(int))
    windows = []
    for largest in order:  # the largest hole opens a window
        if not pending[largest]:
            continue
        y, h = _span(int(top[largest]), int(bottom[largest]), int(wanted[largest]), height)
        x, w = _span(int(left[largest]), int(right[largest]), int(wanted[largest]), width)
        inside = pending & (top >= y) & (bottom <= y + h) & (left >= x) & (right <= x + w)
        inside &= 2 * wanted > wanted[largest]
        pending &= ~inside
        members = np.concatenate([[False], inside])[labels]
        windows.append((Window(y, x, h, w), torch.from_numpy(members).to(mask.device)))
    return windows
