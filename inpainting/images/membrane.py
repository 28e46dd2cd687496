"""Smooth surfaces that carry values from the known pixels into a hole."""

import torch
import torch.nn.functional as F
from torch import Tensor


def membrane(values: Tensor, mask: Tensor) -> Tensor:
    """Continue known values smoothly into the hole (push-pull, Gortler et al. 1996, section 3.4).

    The pyramid of known means is built by halving. On the way back, every level fills what it does
    not know with the next coarser level, enlarged bilinearly.

    Args:
        values: (B, C, H, W); those in the hole are not used
        mask: (B, 1, H, W), a pixel with any value above 0 is in the hole

    Returns:
        (B, C, H, W) float32, equal to `values` where mask = 0; 0 for an image that is all hole
    """
    known = (mask <= 0).float()
    level = torch.where(known > 0, values.float(), 0)
    levels = []
    while level.shape[-2] > 1 or level.shape[-1] > 1:
        levels.append((level, known))
        level, known = _halved(level, known)
    surface = level
    for level, known in reversed(levels):
        larger = F.interpolate(surface, level.shape[-2:], mode="bilinear", align_corners=False)
        surface = known * level + (1 - known) * larger
    return surface


def _halved(level: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the known values in blocks of 2x2, and how well each mean is known."""
    height, width = level.shape[-2:]
    odd = (0, width % 2, 0, height % 2)
    total = F.avg_pool2d(F.pad(level * known, odd), 2) * 4
    count = F.avg_pool2d(F.pad(known, odd), 2) * 4
    # One known pixel of a block is enough: coarser levels are for blocks without any.
    return total / count.clamp(min=1e-6), count.clamp(max=1)
