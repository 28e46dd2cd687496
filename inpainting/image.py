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
        colour = image.new_tensor(fill).view(1, -1, 1, 1)
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
    batch, height, width = hole.shape
    rows, columns = hole.amax(2), hole.amax(1)  # (B, H), (B, W): is there a hole in it?
    low = torch.stack([rows.argmax(1), columns.argmax(1)], 1)
    high = torch.stack(
        [height - 1 - rows.flip(1).argmax(1), width - 1 - columns.flip(1).argmax(1)], 1
    )
    crop = torch.tensor(size, device=mask.device)

    y = torch.arange(height, device=mask.device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=mask.device, dtype=torch.float32)[None, :]
    if generator is None:
        count = hole.sum((1, 2)).clamp(min=1)
        centre_y, centre_x = ((hole * axis).sum((1, 2)) / count for axis in (y, x))
        distance = (y - centre_y[:, None, None]) ** 2 + (x - centre_x[:, None, None]) ** 2
        score = hole / (1 + distance)
    else:
        score = hole * (torch.rand(hole.shape, generator=generator, device=mask.device) + 1e-6)
    pixel = score.flatten(1).argmax(1)
    pixel = torch.stack([pixel // width, pixel % width], 1)  # (B, 2)

    fits = (high - low + 1 <= crop).all(1, keepdim=True)
    corner = torch.where(
        fits, (low + high + 1 - crop).div(2, rounding_mode="floor"), pixel - crop // 2
    )
    middle = (torch.tensor([height, width], device=mask.device) - crop) // 2
    corner = torch.where(rows.amax(1, keepdim=True) > 0, corner, middle)
    limit = torch.tensor([height, width], device=mask.device) - crop
    return torch.minimum(corner.clamp(min=0), limit)


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
