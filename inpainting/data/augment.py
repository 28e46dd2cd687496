"""Augmentation of training batches, on the device."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.values import Bounds, Side


@dataclass(frozen=True)
class FlipZoom:
    """Mirror images at random and zoom into a random region of each.

    Args:
        flip: mirror left to right, each image with probability 1/2
        zoom: largest magnification, 1 or more; the region that an image keeps spans a share of
            each side drawn uniformly from [1/zoom, 1]
        side: of the results, in pixels; None is that of the images. Of images that are stored
            larger than they are used (`decoded_size`), a region has detail of its own, not that of
            an enlargement.
    """

    flip: bool = True
    zoom: Annotated[float, Bounds(1)] = 1.0
    side: Side | None = None

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Augment images (B, C, H, W); the result is in channels_last format."""
        count, channels, height, width = image.shape
        device, size = image.device, (self.side or height, self.side or width)
        draws = torch.rand((4, count), generator=generator, device=device)
        share = 1 - draws[0] * (1 - 1 / self.zoom)
        mirror = torch.where(draws[1] < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(share)
        slack = 1 - share  # largest shift of the centre, in the [-1, 1] units of grid_sample
        theta = torch.zeros((count, 2, 3), device=device)
        theta[:, 0, 0], theta[:, 1, 1] = share * mirror, share
        theta[:, 0, 2] = (2 * draws[2] - 1) * slack
        theta[:, 1, 2] = (2 * draws[3] - 1) * slack
        # Where the results are smaller, each of their pixels is the mean of several, so that little
        # of a whole image is aliased.
        finer = max(1, ceil(height / size[0]))
        shape = [count, channels, size[0] * finer, size[1] * finer]
        grid = F.affine_grid(theta, shape, align_corners=False)
        moved = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
        moved = F.avg_pool2d(moved, finer) if finer > 1 else moved
        return moved.contiguous(memory_format=torch.channels_last)


class FiniteAugmentation(ABC):
    """An augmentation that makes one of a few variants of an image.

    So what is computed from the variants, such as their tokens, can be computed once.

    Attributes:
        variants: their number; a batch tells the variant of each image under "variant"
    """

    variants: ClassVar[int]

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Augment (B, C, H, W) images."""
        return self.made(image, self.drawn(image, generator))

    @abstractmethod
    def drawn(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the variant of each image, (B,) int64 from 0 to `variants` - 1."""

    @abstractmethod
    def made(self, image: Tensor, variant: Tensor) -> Tensor:
        """Return the given variant (B,) of each image (B, C, H, W)."""


@dataclass(frozen=True)
class Flip(FiniteAugmentation):
    """Mirror images left to right, each with probability 1/2."""

    variants: ClassVar[int] = 2

    def drawn(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Draw 0 or, to mirror an image, 1."""
        return (torch.rand(len(image), generator=generator, device=image.device) < 0.5).long()

    def made(self, image: Tensor, variant: Tensor) -> Tensor:
        """Mirror the images (B, C, H, W) whose variant is 1."""
        return torch.where(variant.view(-1, 1, 1, 1) == 1, image.flip(3), image)
