"""The algebra of inpainting: erase a hole and paste a prediction into it.

Throughout, `image` is (B, C, H, W) in [0, 1] and `mask` is (B, 1, H, W) in [0, 1] with 1 = hole.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.images.membrane import membrane

Fill = float | Sequence[float] | str
FILL_WORDS = ("mean", "smooth")


def known_mean(image: Tensor, mask: Tensor) -> Tensor:
    """Return the mean colour of the known pixels (mask == 0) of each image.

    Pixels of a soft edge (0 < mask < 1) do not count. An image without known pixels gets
    mid-grey (0.5).

    Returns:
        (B, C, 1, 1)
    """
    known = (mask == 0).to(image.dtype)
    count = known.sum(dim=(2, 3), keepdim=True)
    total = torch.where(known > 0, image, 0).sum(dim=(2, 3), keepdim=True)
    return torch.where(count > 0, total / count.clamp(min=1), 0.5)


def smooth(image: Tensor, mask: Tensor) -> Tensor:
    """Return each image with the smoothest continuation of its known pixels in the hole.

    An image without known pixels gets mid-grey (0.5).

    Returns:
        (B, C, H, W)
    """
    known = (mask <= 0).flatten(1).any(1).view(-1, 1, 1, 1)
    return torch.where(known, membrane(image, mask), 0.5)


def erase(image: Tensor, mask: Tensor, fill: Fill = 0.0) -> Tensor:
    """Replace every pixel where mask > 0 with `fill`.

    Args:
        image: (B, C, H, W)
        mask: (B, 1, H, W); any value above 0 erases the whole pixel
        fill: one number; one number per channel; "mean" for the mean of the known pixels; or
            "smooth" for the smoothest continuation of the known pixels, see `membrane`

    Returns:
        (B, C, H, W); independent of the erased values, even where they are NaN

    Raises:
        ValueError: `fill` is an unknown word or has a wrong number of channels.
    """
    if isinstance(fill, str):
        if fill not in FILL_WORDS:
            raise ValueError(f"fill={fill!r}: give a number, one per channel, 'mean' or 'smooth'")
        colour = known_mean(image, mask) if fill == "mean" else smooth(image, mask)
    elif isinstance(fill, Sequence):
        if len(fill) != image.shape[1]:
            raise ValueError(
                f"fill has {len(fill)} values but the image has {image.shape[1]} channels: "
                "give one number per channel"
            )
        # new_full fills on the device; copying a host tensor would synchronise with the GPU.
        colour = torch.cat([image.new_full((1, 1, 1, 1), float(value)) for value in fill], 1)
    else:
        colour = image.new_full((1, 1, 1, 1), float(fill))
    return torch.where(mask > 0, colour.to(image.dtype), image)


def composite(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Paste the prediction into the hole: `mask * prediction + (1 - mask) * image`.

    Where mask = 0 the result is exactly `image`. Every other module calls this function instead of
    repeating the formula. It uses `torch.where` because 0 * NaN is NaN: a prediction that is not
    finite outside the hole must not reach a known pixel.

    Args:
        prediction: (B, C, H, W)
        image: (B, C, H, W)
        mask: (B, 1, H, W); values between 0 and 1 blend

    Returns:
        (B, C, H, W), the completion
    """
    blended = torch.where(mask < 1, mask * prediction + (1 - mask) * image, prediction)
    return torch.where(mask > 0, blended, image)


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize (B, C, H, W) to (B, C, height, width), bilinearly with antialiasing."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(
        image, (height, width), mode="bilinear", antialias=True, align_corners=False
    )


def to_eight_bits(image: Tensor) -> Tensor:
    """Round to the 256 levels of an 8-bit PNG; any shape, the result is a float in [0, 1]."""
    return (image.clamp(0, 1) * 255).round() / 255
