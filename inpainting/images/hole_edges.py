"""Holes as they are filled: rounded to yes or no, grown, or with a soft edge.

A mask is (1, 1, H, W) in [0, 1], 1 = hole.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole

MOST = 1000  # px; a kernel or an edge of more is a typing error


@dataclass(frozen=True)
class HoleEdges:
    """What is done to a mask before its hole is filled, in this order.

    Args:
        threshold: pixels above it are hole, all others known; None leaves grey pixels, which blend
        dilate: px by which the hole grows in all directions
        feather: px beyond the hole's edge over which the fill fades into the known pixels, which
            are kept exactly where this is 0

    Raises:
        InputError: a number is out of range.
    """

    threshold: float | None = None
    dilate: int = 0
    feather: int = 0

    def __post_init__(self) -> None:
        number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if self.threshold is not None and not (number and 0 <= self.threshold < 1):
            raise InputError(
                f"mask_threshold={self.threshold}: type a number from 0 up to below 1, such as 0.5"
            )
        check_whole("dilate", self.dilate, 0, MOST)
        check_whole("feather", self.feather, 0, MOST)

    def __call__(self, mask: Tensor) -> Tensor:
        """Return the mask that is filled; it covers the given one unless a threshold is set."""
        if self.threshold is not None:
            mask = (mask > self.threshold).float()
        if self.dilate:
            side = 2 * self.dilate + 1
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
            mask = _tensor(cv2.dilate(_array(mask), disc))
        if self.feather:
            known = (_array(mask) <= 0).astype(np.uint8)
            distance = cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            ramp = np.clip(1 - distance / (self.feather + 1), 0, 1)
            # A hole without known pixels has no distances, and without a hole they are arbitrary.
            if known.any() and not known.all():
                mask = torch.where(mask > 0, mask, _tensor(ramp))
        return mask


def _array(mask: Tensor) -> np.ndarray:
    return mask[0, 0].cpu().numpy()


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32, copy=False))[None, None]
