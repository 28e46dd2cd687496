"""The local crop: a rectangle around the hole, defined for any kind of hole."""

import torch
from torch import Tensor


def local_size(height: int, width: int, share: float) -> tuple[int, int]:
    """Return height and width of the local crop in pixels.

    Args:
        height: of the image, in pixels
        width: of the image, in pixels
        share: of each side, in (0, 1]; 28/64 gives 28 of 64 px

    Returns:
        (height, width), each at least 1
    """
    return max(1, round(share * height)), max(1, round(share * width))


def local_corners(
    mask: Tensor, size: tuple[int, int], generator: torch.Generator | None = None
) -> Tensor:
    """Return the top-left corner of each image's local crop, for any kind of hole.

    The crop is centred on the bounding box of the hole and shifted to lie inside the image. If the
    bounding box is larger than the crop (a scattered or large hole), the crop is centred on one
    hole pixel instead. With a generator this pixel is drawn at random; without one it is the pixel
    nearest to the hole's centre of mass, so that measurements depend neither on random numbers nor
    on the batch. In an image without a hole, the crop is centred on the image.

    Args:
        mask: (B, 1, H, W); mask > 0 counts as hole
        size: (height, width) of the crop, in pixels, at most those of the mask
        generator: on the mask's device; None is deterministic

    Returns:
        (B, 2) int64, top and left in pixels
    """
    hole = (mask[:, 0] > 0).float()  # (B, H, W)
    pixel = _hole_pixel(hole, generator)
    # The first and last row and column of the bounding box. Only Python numbers mix with the device
    # tensors below: copying a host tensor would synchronise with the GPU.
    spans = []
    for reduced_axis in (2, 1):
        occupied = hole.amax(reduced_axis)  # (B, side)
        spans.append((occupied.argmax(1), occupied.shape[1] - 1 - occupied.flip(1).argmax(1)))
    fits = torch.ones_like(pixel[0], dtype=torch.bool)
    for (low, high), wanted in zip(spans, size, strict=True):
        fits &= high - low < wanted
    has_hole = hole.flatten(1).amax(1) > 0
    corners = []
    for (low, high), centre, wanted, side in zip(spans, pixel, size, hole.shape[1:], strict=True):
        corner = torch.where(
            fits, (low + high + 1 - wanted).div(2, rounding_mode="floor"), centre - wanted // 2
        )
        corner = torch.where(has_hole, corner, (side - wanted) // 2)
        corners.append(corner.clamp(min=0, max=side - wanted))
    return torch.stack(corners, 1)


def _hole_pixel(hole: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Return row and column, (B,) each, of one hole pixel of `hole` (B, H, W).

    A generator draws the pixel; without one it is the pixel nearest to the centre of mass.
    """
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
    """Cut one rectangle out of each image, entirely on the device.

    Args:
        image: (B, C, H, W)
        corners: (B, 2) int64, top and left in pixels
        size: (height, width) of the rectangles, in pixels

    Returns:
        (B, C, height, width)
    """
    batch, channels, _, width = image.shape
    rows = corners[:, 0, None] + torch.arange(size[0], device=image.device)  # (B, h)
    columns = corners[:, 1, None] + torch.arange(size[1], device=image.device)  # (B, w)
    strip = image.gather(2, rows[:, None, :, None].expand(batch, channels, size[0], width))
    return strip.gather(3, columns[:, None, None, :].expand(batch, channels, *size))
