"""The local crop: a rectangle around the hole, defined for any kind of hole."""

import torch
from torch import Tensor


def local_size(height: int, width: int, share: float) -> tuple[int, int]:
    """Height and width of the local crop: `share` of each side, 28 of 64 px for 28/64."""
    return max(1, round(share * height)), max(1, round(share * width))


def local_corners(
    mask: Tensor, size: tuple[int, int], generator: torch.Generator | None = None
) -> Tensor:
    """The local crop's top left corner for each image, for any kind of hole.

    The crop is centred on the hole's bounding box and shifted inside the image. Where that box is
    larger than the crop (scattered or large holes) it is centred on one hole pixel: drawn by
    `generator`, or, without one, the pixel nearest to the hole's centre of mass, so that
    measurements do not depend on chance or on the batch. Without any hole, the image's centre.

    Args:
        mask: (B, 1, H, W); mask > 0 counts as hole
        size: (height, width) of the crop
        generator: on the mask's device

    Returns:
        (B, 2) int64: top and left
    """
    hole = (mask[:, 0] > 0).float()  # (B, H, W)
    pixel = _hole_pixel(hole, generator)
    # Along each axis, first and last place with a hole in it. Python numbers only: a tensor made
    # here on the host would make a GPU's step wait for its copy.
    spans = []
    for other in (2, 1):
        there = hole.amax(other)  # (B, side)
        spans.append((there.argmax(1), there.shape[1] - 1 - there.flip(1).argmax(1)))
    fits = torch.ones_like(pixel[0], dtype=torch.bool)
    for (low, high), wanted in zip(spans, size, strict=True):
        fits &= high - low < wanted
    some = hole.flatten(1).amax(1) > 0
    corners = []
    for (low, high), centre, wanted, side in zip(spans, pixel, size, hole.shape[1:], strict=True):
        corner = torch.where(
            fits, (low + high + 1 - wanted).div(2, rounding_mode="floor"), centre - wanted // 2
        )
        corner = torch.where(some, corner, (side - wanted) // 2)
        corners.append(corner.clamp(min=0, max=side - wanted))
    return torch.stack(corners, 1)


def _hole_pixel(hole: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Row and column (B,) of one hole pixel: drawn, or the one nearest to the centre of mass."""
    _, height, width = hole.shape
    if generator is None:
        y = torch.arange(height, device=hole.device, dtype=torch.float32)[:, None]
        x = torch.arange(width, device=hole.device, dtype=torch.float32)[None, :]
        count = hole.sum((1, 2)).clamp(min=1)
        centre_y, centre_x = ((hole * axis).sum((1, 2)) / count for axis in (y, x))
        distance = (y - centre_y[:, None, None]) ** 2 + (x - centre_x[:, None, None]) ** 2
        score = hole / (1 + distance)
    else:
        score = hole * (torch.rand(hole.shape, generator=generator, device=hole.device) + 1e-6)
    pixel = score.flatten(1).argmax(1)
    return pixel // width, pixel % width


def crop(image: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut one rectangle of `size` out of each image, on the device.

    Args:
        image: (B, C, H, W)
        corners: (B, 2) int64, top and left
        size: (height, width)

    Returns:
        (B, C, height, width)
    """
    batch, channels, _, width = image.shape
    rows = corners[:, 0, None] + torch.arange(size[0], device=image.device)  # (B, h)
    columns = corners[:, 1, None] + torch.arange(size[1], device=image.device)  # (B, w)
    strip = image.gather(2, rows[:, None, :, None].expand(batch, channels, size[0], width))
    return strip.gather(3, columns[:, None, None, :].expand(batch, channels, *size))
