"""Images of any size for a network that takes some sizes only.

A network of any multiple is given padded images, one of a fixed size a window around each hole.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inpainting.images.algebra import Fill, erase, resize
from inpainting.images.windows import Window, hole_windows, pad_to_multiple, unpad
from inpainting.rng import Generators, seed_from

# masked_image (B, C, H, W), mask (B, 1, H, W), attributes (B, A) or None, and chance
Predict = Callable[[Tensor, Tensor, Tensor | None, Generators], Tensor]

WINDOWS_AT_ONCE = 64  # bounds the memory that a large image with many holes takes


def padded(predict: Predict, multiple: int) -> Predict:
    """The same for images of any size, which are padded to a multiple and cut back."""

    def predict_padded(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, chance: Generators
    ) -> Tensor:
        height, width = mask.shape[-2:]
        masked_image = pad_to_multiple(masked_image, multiple)
        mask = pad_to_multiple(mask, multiple)
        return unpad(predict(masked_image, mask, attributes, chance), height, width)

    return predict_padded


def through_windows(predict: Predict, side: int, fill: Fill) -> Predict:
    """The same through a window around each hole, shrunk or enlarged to (side, side).

    Windows of all images go through the network together. Each draws its chance from a generator
    of its own, that follows from its image's, so that no fill depends on what it goes with.
    """

    def predict_windows(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, chance: Generators
    ) -> Tensor:
        prediction = masked_image.clone()
        windows = [
            _Window(i, number, box, hole[box.pixels].clone())
            for i in range(len(mask))
            for number, (box, hole) in enumerate(hole_windows(mask[i], side))
        ]
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            part = windows[start : start + WINDOWS_AT_ONCE]
            cut = [_cut(masked_image, mask, window, side) for window in part]
            small_mask = torch.cat([small for _, small in cut])
            small_image = erase(torch.cat([image for image, _ in cut]), small_mask, fill)
            wanted = None if attributes is None else attributes[[one.index for one in part]]
            chances = chance
            if isinstance(chance, Sequence):
                chances = [_own_generator(chance[one.index], one.number) for one in part]
            filled = predict(small_image, small_mask, wanted, chances).float()
            for window, one in zip(part, filled.split(1), strict=True):
                place = window.place
                large = resize(one, *window.size)
                prediction[place] = torch.where(window.members, large, prediction[place])
        return prediction

    return predict_windows


class _Window(NamedTuple):
    """One of an image's windows, and which of its pixels (h, w) it is to fill."""

    index: int
    number: int
    box: Window
    members: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.box.height, self.box.width

    @property
    def place(self) -> tuple:
        """Its pixels in a batch, as (1, C, h, w)."""
        return (slice(self.index, self.index + 1), slice(None), *self.box.pixels)


def _cut(masked_image: Tensor, mask: Tensor, window: _Window, side: int) -> tuple[Tensor, Tensor]:
    """A window and its hole as the network is given them, (1, C, side, side) and (1, 1, …)."""
    small = resize(mask[window.place], side, side)
    if window.size != (side, side):  # shrinking spreads the erased pixels: what they touch is hole
        small = (small > 0).float()
    return resize(masked_image[window.place], side, side), small


def _own_generator(generator: torch.Generator, number: int) -> torch.Generator:
    seed = seed_from(generator.initial_seed(), number)
    return torch.Generator(generator.device).manual_seed(seed)
