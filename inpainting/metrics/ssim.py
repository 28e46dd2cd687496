"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004), equal to scikit-image's."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from inpainting.errors import InputError

RADIUS = 5  # the window is 11 pixels wide


def structural_similarity(completion: Tensor, image: Tensor) -> Tensor:
    """Return the SSIM map (Wang et al. 2004): Gaussian window of sigma 1.5 and 11 pixels, range 1.

    The mean of the map without its 5-pixel border, where the image is mirrored, is scikit-image's
    `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`. The
    window is separable and applied as two matrix products in double precision: torchmetrics' 2D
    convolution is off by up to 1e-4 in single precision where an image is flat, and far slower in
    double precision.

    Args:
        completion: (B, C, H, W)
        image: (B, C, H, W)

    Returns:
        (B, C, H, W) float64

    Raises:
        InputError: a side is shorter than the window.
    """
    height, width = image.shape[2:]
    if min(height, width) < 2 * RADIUS + 1:
        raise InputError(
            f"SSIM needs images of at least {2 * RADIUS + 1} px, not {height}x{width}: "
            "type a larger data.image_size"
        )
    x, y = completion.double(), image.double()
    vertical, horizontal = (_window(side, x.device) for side in (height, width))
    products = torch.stack([x, y, x * x, y * y, x * y])
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = vertical @ products @ horizontal.T
    covariance = mean_xy - mean_x * mean_y
    variances = mean_xx - mean_x.square() + mean_yy - mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance * (2 * covariance + c2) / (variances + c2)


@lru_cache(maxsize=8)
def _window(side: int, device: torch.device) -> Tensor:
    """Return the Gaussian window as a (side, side) float64 matrix; borders mirror the image."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    source = np.pad(np.arange(side), RADIUS, mode="reflect")
    matrix = np.zeros((side, side))
    for start, weight in enumerate(weights / weights.sum()):
        matrix[np.arange(side), source[start : start + side]] += weight
    return torch.from_numpy(matrix).to(device)
