"""Pictures of any size for a network that takes some sizes only.

A network of any multiple is given padded pictures, one of a fixed size a window around each hole.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inpainting.chance import Chance
from inpainting.image import Fill, erase, hole_windows, pad_to_multiple, resize, unpad

# masked_image (B, C, H, W), mask (B, 1, H, W), attributes (B, A) or None, and chance
Predict = Callable[[Tensor, Tensor, Tensor | None, Chance], Tensor]

WINDOWS_AT_ONCE = 64  # bounds the memory that a large picture with many holes takes


def padded(predict: Predict, multiple: int) -> Predict:
    """The same for pictures of any size, which are padded to a multiple and cut back."""

    def predict_padded(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, chance: Chance
    ) -> Tensor:
        height, width = mask.shape[-2:]
        masked_image = pad_to_multiple(masked_image, multiple)
        mask = pad_to_multiple(mask, multiple)
        return unpad(predict(masked_image, mask, attributes, chance), height, width)

    return predict_padded


def through_windows(predict: Predict, side: int, fill: Fill) -> Predict:
    """The same through a window around each hole, shrunk or enlarged to (side, side)."""

    def predict_windows(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, chance: Chance
    ) -> Tensor:
        return torch.cat(
            [
                _one_picture(
                    predict,
                    side,
                    fill,
                    masked_image[i : i + 1],
                    mask[i : i + 1],
                    None if attributes is None else attributes[i : i + 1],
                    chance[i] if isinstance(chance, Sequence) else chance,
                )
                for i in range(len(mask))
            ]
        )

    return predict_windows


def _one_picture(
    predict: Predict,
    side: int,
    fill: Fill,
    masked_image: Tensor,
    mask: Tensor,
    attributes: Tensor | None,
    generator: torch.Generator | None,
) -> Tensor:
    """(1, C, H, W), several windows at once; they draw their chance one after the other."""
    prediction = masked_image.clone()
    windows = hole_windows(mask[0], side)
    for start in range(0, len(windows), WINDOWS_AT_ONCE):
        part = windows[start : start + WINDOWS_AT_ONCE]
        images, masks = [], []
        for (top, left, height, width), _ in part:
            window = (..., slice(top, top + height), slice(left, left + width))
            images.append(resize(masked_image[window], side, side))
            small = resize(mask[window], side, side)
            # Shrinking spreads the erased pixels: whatever they touch is hole.
            masks.append(small if (height, width) == (side, side) else (small > 0).float())
        small_mask = torch.cat(masks)
        small_image = erase(torch.cat(images), small_mask, fill)
        wanted = None if attributes is None else attributes.expand(len(part), -1)
        chance = None if generator is None else [generator] * len(part)
        filled = predict(small_image, small_mask, wanted, chance).float()
        for ((top, left, height, width), members), one in zip(part, filled.split(1), strict=True):
            window = (..., slice(top, top + height), slice(left, left + width))
            large = resize(one, height, width)
            prediction[window] = torch.where(members[window], large, prediction[window])
    return prediction
