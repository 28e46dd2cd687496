"""Windows around holes, and padding, for networks that accept only some image sizes."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Window(NamedTuple):
    """A rectangle inside an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """The slices of rows and columns that index an image."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) at the bottom and right until both sides are multiples of `multiple`.

    The padding reflects the image, or replicates its edge if the image is too small to reflect.
    """
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def unpad(image: Tensor, height: int, width: int) -> Tensor:
    """Crop (..., H, W) to its first `height` rows and `width` columns, undoing the padding."""
    return image[..., :height, :width]


def _span(low: int, high: int, side: int, limit: int) -> tuple[int, int]:
    """Return start and length of an interval centred on [low, high) and inside [0, limit).

    Its length is `side`, or `high - low` if that is more, and at most `limit`.
    """
    side = min(max(side, high - low), limit)
    return min(max((low + high - side) // 2, 0), limit - side), side


def hole_windows(mask: Tensor, side: int, hole_share: float = 0.45) -> list[tuple[Window, Tensor]]:
    """Return windows that cover all holes of one image, each hole entirely inside one window.

    A hole is a connected region of the mask. A window is a square of `side` px, or larger if its
    hole would otherwise span more than `hole_share` of it, so that a network that is given the
    shrunk window sees holes no larger than those it was trained on. The image clips the window.
    Smaller holes inside the window are filled with it, unless the window would shrink them at
    least twice as much as a window of their own.

    Args:
        mask: (1, H, W) of one image; mask > 0 counts as hole
        side: the image side that the network was trained on, in pixels
        hole_share: largest allowed ratio of the hole's longer side to the window's side

    Returns:
        pairs of a window and a bool tensor of its size, the hole pixels to be filled from this
        window; no array of the image's size is kept for a window, because scans have thousands
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
    for largest in order:
        if not pending[largest]:
            continue
        y, h = _span(int(top[largest]), int(bottom[largest]), int(wanted[largest]), height)
        x, w = _span(int(left[largest]), int(right[largest]), int(wanted[largest]), width)
        inside = pending & (top >= y) & (bottom <= y + h) & (left >= x) & (right <= x + w)
        inside &= 2 * wanted > wanted[largest]
        pending &= ~inside
        window = Window(y, x, h, w)
        members = np.concatenate([[False], inside])[labels[window.pixels]]
        windows.append((window, torch.from_numpy(members).to(mask.device)))
    return windows
