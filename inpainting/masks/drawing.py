"""Helpers for drawing holes: ranges, sizes in pixels, random integers and spans."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from inpainting.errors import InputError

# (batch size, height, width, generator) -> (B, 1, H, W) float32, on the generator's device
Kind = Callable[[int, int, int, Generator], Tensor]
Range = float | Sequence[float]


def as_range(value: Range, key: str, whole: bool = False) -> tuple[float, float]:
    """Return a number or a range as a pair (low, high).

    Args:
        value: one number, or [low, high]
        key: the full key of the setting, for the error message
        whole: accept only whole numbers

    Raises:
        InputError: `value` is neither a number nor a range, or low > high.
    """
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    numbers = all(isinstance(number, int if whole else int | float) for number in pair)
    if len(pair) != 2 or not numbers or pair[0] > pair[1]:
        kind = "whole number" if whole else "number"
        raise InputError(
            f"{key}={value}: this is no {kind} or range; type one {kind} or [low, high]"
        )
    return pair


def to_pixels(value: float, side: int, key: str, at_least: int = 1) -> int:
    """Convert a size to pixels.

    Args:
        value: an int, or a float above 1, is in pixels; a float up to 1 is a share of `side`
        side: side of the image, in pixels
        key: the full key of the setting, for the error message
        at_least: smallest size allowed, in pixels

    Raises:
        InputError: `value` is not a number, no whole number of pixels or not in [at_least, side].
    """
    if not isinstance(value, int | float):
        raise InputError(
            f"{key}={value} is not a number: type a number of pixels (20) or a share (0.3125)"
        )
    pixels = round(value * side) if isinstance(value, float) and value <= 1 else value
    if pixels != int(pixels) or not at_least <= pixels <= side:
        raise InputError(
            f"{key}={value} does not fit images of {side} px: "
            f"type a whole number from {at_least} to {side} (pixels) or a share up to 1.0"
        )
    return int(pixels)


def uniform_inclusive(
    low: int | Tensor, high: int | Tensor, shape: tuple[int, ...], generator: Generator
) -> Tensor:
    """Draw integers uniformly from low, ..., high, both included.

    Args:
        low: smallest integer, or a tensor of them that broadcasts to `shape`
        high: largest integer, or a tensor of them that broadcasts to `shape`
        shape: of the result
        generator: draws the numbers, on its own device

    Returns:
        `shape` int64
    """
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return low + (uniform * (high - low + 1)).long()


def spans(start: Tensor, length: Tensor, side: int) -> Tensor:
    """Mark intervals of one image axis.

    Args:
        start: (...), first position of each interval, in pixels
        length: (...), in pixels
        side: length of the axis, in pixels

    Returns:
        (..., side) float32, 1 inside [start, start + length) and 0 elsewhere
    """
    position = torch.arange(side, device=start.device)
    start, length = start[..., None], length[..., None]
    return ((position >= start) & (position < start + length)).float()
