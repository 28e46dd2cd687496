"""The algebra of inpainting: erase a hole, paste a prediction into it.

Everywhere `image` is (B, C, H, W) in [0, 1] and `mask` is (B, 1, H, W) in [0, 1] with 1 = hole.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Fill = float | Sequence[float] | str


def known_mean(image: Tensor, mask: Tensor) -> Tensor:
    """Mean colour of the wholly known pixels (mask == 0) of each image.

    An image without a known pixel gets mid-grey.

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
        fill: a number, one number a channel, or "mean" (of the image's known pixels)

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
