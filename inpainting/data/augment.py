"""Augmentation of training batches, on the device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class FlipZoom:
    """Mirror half of the images and enlarge each around a random place.

    Args:
        flip: mirror left to right, each image with probability 1/2
        zoom: largest enlargement; an image keeps a share of each side drawn from [1/zoom, 1]
    """

    flip: bool = True
    zoom: float = 1.0

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) to the same shape."""
        count, device = len(image), image.device
        draws = torch.rand((4, count), generator=generator, device=device)
        share = 1 - draws[0] * (1 - 1 / self.zoom)
        mirror = torch.where(draws[1] < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(share)
        slack = 1 - share  # how far the centre may move, in grid_sample's [-1, 1]
        theta = torch.zeros((count, 2, 3), device=device)
        theta[:, 0, 0], theta[:, 1, 1] = share * mirror, share
        theta[:, 0, 2] = (2 * draws[2] - 1) * slack
        theta[:, 1, 2] = (2 * draws[3] - 1) * slack
        grid = F.affine_grid(theta, list(image.shape), align_corners=False)
        moved = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
        return moved.contiguous(memory_format=torch.channels_last)
