"""Differentiable augmentation of a discriminator's inputs (DiffAugment, arXiv 2006.10738)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inpainting.errors import InputError

# The changes of the paper's released code: brightness by up to 0.5 of images in [-1, 1], shift and
# cutout as shares of a side. What enters is black; in the released code it is grey.
BRIGHTNESS, SHIFT, CUTOUT = 0.25, 0.125, 0.5


def _colour(images: Tensor, draws: Tensor) -> Tensor:
    """Change brightness, saturation (0 to 2 times) and contrast (0.5 to 1.5 times)."""
    brightness, saturation, contrast = draws[:3].view(3, -1, 1, 1, 1)
    images = images + (brightness - 0.5) * 2 * BRIGHTNESS
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * (contrast + 0.5) + mean


def _translation(images: Tensor, draws: Tensor) -> Tensor:
    """Shift by up to an eighth of each side; what enters is black."""
    height, width = images.shape[-2:]
    y, x = ((draws[:2] * 2 - 1) * SHIFT).view(2, -1, 1)
    rows = torch.arange(height, device=images.device) + (y * height).round()
    columns = torch.arange(width, device=images.device) + (x * width).round()
    inside = ((rows >= 0) & (rows < height))[:, None, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, None]
    rows = rows.long().clamp(0, height - 1)[:, None, :, None].expand_as(images)
    columns = columns.long().clamp(0, width - 1)[:, None, None].expand_as(images)
    return images.gather(2, rows).gather(3, columns) * inside


def _cutout(images: Tensor, draws: Tensor) -> Tensor:
    """Black out a square of half a side, which may reach over the border."""
    height, width = images.shape[-2:]
    y, x = draws[:2].view(2, -1, 1)
    rows = (torch.arange(height, device=images.device) / height - y).abs() < CUTOUT / 2
    columns = (torch.arange(width, device=images.device) / width - x).abs() < CUTOUT / 2
    return images * ~(rows[:, None, :, None] & columns[:, None, None])


KINDS = {"colour": (_colour, 3), "translation": (_translation, 2), "cutout": (_cutout, 2)}


class DiffAugment:
    """Changes images at random, so that gradients pass through to the images.

    Real and fake images must both be changed, wherever the discriminator is used.

    Args:
        kinds: any of "colour", "translation" and "cutout"; none leaves the images as they are

    Raises:
        InputError: a kind is unknown.
    """

    def __init__(self, kinds: Sequence[str]):
        for kind in kinds:
            if kind not in KINDS:
                raise InputError(
                    f"model.adversary.augment={list(kinds)}: type any of {', '.join(KINDS)}"
                )
        self.kinds = list(kinds)

    def __call__(self, *images: Tensor) -> Tensor:
        """Change several (B, C, H, W) in the same way, sample by sample, and join them: (n B, …).

        Equal changes of an image and its reconstruction keep their features comparable.
        """
        together, repeats = torch.cat(images), len(images)
        for kind in self.kinds:
            change, numbers = KINDS[kind]
            draws = torch.rand(numbers, len(images[0]), device=together.device)
            together = change(together, draws.repeat(1, repeats))
        return together
