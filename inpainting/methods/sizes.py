"""Images of any size for a network that accepts only some sizes.

A network that accepts every multiple of a number receives padded images. A network of one fixed
size receives a window around each hole.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inpainting.images.algebra import Fill, erase, resize
from inpainting.images.membrane import membrane
from inpainting.images.seams import enlarged_into
from inpainting.images.windows import Window, hole_windows, pad_to_multiple, unpad
from inpainting.methods.watch import Watch
from inpainting.rng import Generators, seed_from

# Takes masked_image (B, C, H, W), mask (B, 1, H, W), attributes (B, A) or None, and generators.
Predict = Callable[[Tensor, Tensor, Tensor | None, Generators], Tensor]

JOINED = 2**22  # px; windows beyond are pasted as they are, since joining them takes gigabytes
WINDOWS_AT_ONCE = 64  # bounds the memory that a large image with many holes takes


def mirror_averaged(predict: Predict) -> Predict:
    """Let `predict` return the mean of its predictions for an image and for its mirror image.

    It is for methods that draw no random numbers: they get no generator.
    """

    def predict_both(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, generator: Generators
    ) -> Tensor:
        images, masks = (torch.cat([x, x.flip(-1)]) for x in (masked_image, mask))
        wanted = None if attributes is None else attributes.repeat(2, 1)
        straight, mirrored = predict(images, masks, wanted, None).chunk(2)
        return (straight + mirrored.flip(-1)) / 2

    return predict_both


def padded(predict: Predict, multiple: int) -> Predict:
    """Extend `predict` to images of any size by padding them to a multiple and cutting back."""

    def predict_padded(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, generator: Generators
    ) -> Tensor:
        height, width = mask.shape[-2:]
        masked_image = pad_to_multiple(masked_image, multiple)
        mask = pad_to_multiple(mask, multiple)
        return unpad(predict(masked_image, mask, attributes, generator), height, width)

    return predict_padded


def seamless(predict: Predict) -> Predict:
    """Extend `predict` to shift its prediction so that it meets the known pixels without a step.

    GLCIC's own post-processing: Poisson image editing (Pérez et al. 2003), see `membrane`.
    """

    def predict_seamless(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, generator: Generators
    ) -> Tensor:
        prediction = predict(masked_image, mask, attributes, generator)
        return (prediction + membrane(masked_image - prediction, mask)).clamp(0, 1)

    return predict_seamless


def through_windows(predict: Predict, side: int, fill: Fill, watch: Watch | None = None) -> Predict:
    """Extend `predict` to images of any size by resizing a window around each hole to `side`.

    The prediction for a window that was resized joins the window's known pixels without a seam.
    The windows of all images go through the network together, as (side, side). Each window has a
    generator that is seeded from its image's generator, so that no completion depends on the other
    windows in the batch.
    """

    def predict_windows(
        masked_image: Tensor, mask: Tensor, attributes: Tensor | None, generator: Generators
    ) -> Tensor:
        prediction = masked_image.clone()
        windows = [
            _Window(i, number, box, members)
            for i in range(len(mask))
            for number, (box, members) in enumerate(hole_windows(mask[i], side))
        ]
        inputs = (masked_image, mask)
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            part = windows[start : start + WINDOWS_AT_ONCE]
            cut = [_cut(masked_image, mask, window, side) for window in part]
            small_mask = torch.cat([small for _, small in cut])
            small_image = erase(torch.cat([image for image, _ in cut]), small_mask, fill)
            wanted = None if attributes is None else attributes[[window.index for window in part]]
            generators = generator
            if isinstance(generator, Sequence):
                generators = [
                    _window_generator(generator[window.index], window.number) for window in part
                ]
            if watch is not None:
                watch.batches = -(-len(windows) // WINDOWS_AT_ONCE)
                watch.whole = lambda small, part=part: _pasted(
                    small, part, prediction.clone(), *inputs
                )
            filled = predict(small_image, small_mask, wanted, generators)
            _pasted(filled, part, prediction, *inputs)
        return prediction

    return predict_windows


def _pasted(
    filled: Tensor,
    windows: Sequence["_Window"],
    prediction: Tensor,
    masked_image: Tensor,
    mask: Tensor,
) -> Tensor:
    """Enlarge filled windows and paste their pixels into the prediction (B, C, H, W), in place."""
    for window, small in zip(windows, filled.float().split(1), strict=True):
        whole, hole = prediction[window.place][0], mask[window.place]
        known = masked_image[window.place].split(1, 1)
        # One channel after another: a scratch's window is as large as the whole scan.
        for channel, one, around in zip(whole, small.split(1, 1), known, strict=True):
            if one.shape == around.shape:
                large = one
            elif around.numel() > JOINED:
                large = resize(one, *window.size)
            else:
                large = enlarged_into(one, around, hole)
            channel[window.members] = large[0, 0][window.members]
    return prediction


class _Window(NamedTuple):
    """One window of an image, and the mask (h, w) of the pixels that it fills."""

    index: int
    number: int
    box: Window
    members: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.box.height, self.box.width

    @property
    def place(self) -> tuple:
        """Index of the window's pixels (1, C, h, w) in a batch."""
        return (slice(self.index, self.index + 1), slice(None), *self.box.pixels)


def _cut(masked_image: Tensor, mask: Tensor, window: _Window, side: int) -> tuple[Tensor, Tensor]:
    """Resize a window and its hole for the network: (1, C, side, side) and (1, 1, side, side)."""
    small = resize(mask[window.place], side, side)
    if window.size != (side, side):  # resizing mixes erased pixels into others: those are hole too
        small = (small > 0).float()
    channels = masked_image[window.place].split(1, 1)
    return torch.cat([resize(channel, side, side) for channel in channels], 1), small


def _window_generator(generator: torch.Generator, number: int) -> torch.Generator:
    seed = seed_from(generator.initial_seed(), number)
    return torch.Generator(generator.device).manual_seed(seed)
