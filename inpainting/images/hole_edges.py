"""Holes as they are filled: rounded to yes or no, grown, or with a soft edge.

A mask is (1, 1, H, W) in [0, 1], 1 = hole.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole

MOST = 1000  # px; more is a typing error


@dataclass(frozen=True)
class HoleEdges:
    """What is done to a mask before its hole is filled, in this order.

    Args:
        threshold: pixels above it are hole, all others known; None leaves grey pixels, which blend
        dilate: px by which the hole grows in all directions; grey pixels then count as hole
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
            mask = torch.where(_distance(mask) <= self.dilate, 1.0, mask)
        if self.feather:
            ramp = (1 - _distance(mask) / (self.feather + 1)).clamp(0, 1)
            mask = torch.where(mask > 0, mask, ramp)
        return mask


def _distance(mask: Tensor) -> Tensor:
    """Return how far each pixel is from the nearest of a hole, in px; infinite without a hole."""
    known = (mask[0, 0].cpu().numpy() <= 0).astype(np.uint8)
    if known.all():  # OpenCV gives arbitrary distances
        return torch.full_like(mask, torch.inf)
    distance = cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return torch.from_numpy(distance)[None, None]
