"""The image algebra of inpainting: erase, composite, local crops, padding, windows around holes.

Everywhere `image` is (B, C, H, W) in [0, 1] and `mask` is (B, 1, H, W) in [0, 1] with 1 = hole.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Fill = float | Sequence[float] | str


class Window(NamedTuple):
    """A rectangle of one picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns, to index a picture with."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


def known_mean(image: Tensor, mask: Tensor) -> Tensor:
    """Mean colour of the wholly known pixels (mask == 0) of each picture.

    A picture without a known pixel gets mid-grey.

    Returns:
        (B, C, 1, 1)
    """
    known = (mask == 0).to(image.dtype)
    count = known.sum(dim=(2, 3), keepdim=True)
    total = torch.where(known > 0, image, 0).sum(dim=(2, 3), keepdim=True)
    return torch.where(count > 0, total / count.clamp(min=1), 0.5)


def erase(image: Tensor, mask: Tensor, fill: Fill = 0.0) -> Tensor:
    """Replace every pixel with mask > 0 by `fill`.

    Args:
        image: (B, C, H, W)
        mask: (B, 1, H, W); any value above 0 erases the whole pixel
        fill: a number, one number a channel, or "mean" (of the picture's known pixels)

    Returns:
        (B, C, H, W); nothing of the erased pixels is left in it, not even as NaN
    """
    if isinstance(fill, str):
        if fill != "mean":
            raise ValueError(f"fill={fill!r}: give a number, a colour or 'mean'")
        colour = known_mean(image, mask)
    elif isinstance(fill, Sequence):
        if len(fill) != image.shape[1]:
            raise ValueError(
                f"fill has {len(fill)} values, the image has {image.shape[1]} channels"
            )
        # Filled, not copied from the host: a copy would make a GPU's step wait.
        colour = torch.cat([image.new_full((1, 1, 1, 1), float(value)) for value in fill], 1)
    else:
        colour = image.new_full((1, 1, 1, 1), float(fill))
    return torch.where(mask > 0, colour.to(image.dtype), image)


def composite(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """`mask * prediction + (1 - mask) * image`, and exactly `image` where mask = 0.

    The only place with this formula. `torch.where` because 0 * NaN is NaN: a prediction that is
    not finite outside the hole must not reach a known pixel.
    """
    blended = torch.where(mask < 1, mask * prediction + (1 - mask) * image, prediction)
    return torch.where(mask > 0, blended, image)


def local_size(height: int, width: int, share: float) -> tuple[int, int]:
    """Height and width of the local crop: `share` of each side, 28 of 64 px for 28/64."""
    return max(1, round(share * height)), max(1, round(share * width))


def local_boxes(
    mask: Tensor, size: tuple[int, int], generator: torch.Generator | None = None
) -> Tensor:
    """The local crop's top left corner for each picture, for any kind of hole.

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
    """Cut one rectangle of `size` out of each picture, on the device.

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


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad bottom and right to a multiple, by reflection, or replication where too narrow."""
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def unpad(image: Tensor, height: int, width: int) -> Tensor:
    """Cut what `pad_to_multiple` added."""
    return image[..., :height, :width]


def _span(low: int, high: int, side: int, limit: int) -> tuple[int, int]:
    """Start and length of an interval of `side` centred on [low, high), inside [0, limit)."""
    side = min(max(side, high - low), limit)
    return min(max((low + high - side) // 2, 0), limit - side), side


def hole_windows(mask: Tensor, side: int, hole_share: float = 0.45) -> list[tuple[Window, Tensor]]:
    """Windows that cover all holes of one picture, each hole wholly inside one of them.

    A window is `side` wide, or larger where its hole would fill more than `hole_share` of it, so
    that a network that is fed the (shrunk) window sees holes as large as those it was trained on.
    Holes that a window holds as well go with it, unless it would shrink them twice as much as
    their own window would.

    Args:
        mask: (1, H, W) of one picture
        side: the side the network was trained on
        hole_share: largest hole side as a share of the window's

    Returns:
        pairs of a window and (H, W) bool: the hole pixels that this window is to fill
    """
    hole = (mask[0] > 0).cpu().numpy().astype(np.uint8)
    height, width = hole.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hole, connectivity=8)
    left, top, right, bottom = (
        stats[1:, cv2.CC_STAT_LEFT],
        stats[1:, cv2.CC_STAT_TOP],
        stats[1:, cv2.CC_STAT_LEFT] + stats[1:, cv2.CC_STAT_WIDTH],
        stats[1:, cv2.CC_STAT_TOP] + stats[1:, cv2.CC_STAT_HEIGHT],
    )
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    pending = np.ones(count - 1, dtype=bool)
    extent = np.maximum(bottom - top, right - left)
    wanted = np.maximum(side, np.ceil(extent / hole_share).astype(int))
    windows = []
    for largest in order:  # the largest hole opens a window
        if not pending[largest]:
            continue
        y, h = _span(int(top[largest]), int(bottom[largest]), int(wanted[largest]), height)
        x, w = _span(int(left[largest]), int(right[largest]), int(wanted[largest]), width)
        inside = pending & (top >= y) & (bottom <= y + h) & (left >= x) & (right <= x + w)
        inside &= 2 * wanted > wanted[largest]
        pending &= ~inside
        members = np.concatenate([[False], inside])[labels]
        windows.append((Window(y, x, h, w), torch.from_numpy(members).to(mask.device)))
    return windows


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with antialiasing."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(
        image, (height, width), mode="bilinear", antialias=True, align_corners=False
    )


def to_eight_bits(image: Tensor) -> Tensor:
    """Round to the 256 levels that a PNG can hold, still float in [0, 1]."""
    return (image.clamp(0, 1) * 255).round() / 255
