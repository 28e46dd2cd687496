"""What kinds of hole are drawn with: sizes, ranges, whole numbers, spans."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from inpainting.errors import InputError

Kind = Callable[[int, int, int, Generator], Tensor]
Range = float | Sequence[float]


def as_range(value: Range, key: str, whole: bool = False) -> tuple[float, float]:
    """One number or [low, high], as a pair; of whole numbers if they count something.

    Raises:
        InputError: neither of them, or low > high
    """
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    numbers = all(isinstance(number, int if whole else int | float) for number in pair)
    if len(pair) != 2 or not numbers or pair[0] > pair[1]:
        kind = "whole number" if whole else "number"
        raise InputError(f"{key}={value} is no {kind} or range: type one {kind} or [low, high]")
    return pair


def to_pixels(value: float, side: int, key: str, at_least: int = 1) -> int:
    """A size in pixels: whole numbers are pixels already, fractions up to 1 shares of `side`.

    Raises:
        InputError: not within [at_least, side]
    """
    if not isinstance(value, int | float):
        raise InputError(f"{key}={value} is no number: type pixels (20) or a share (0.3125)")
    pixels = round(value * side) if isinstance(value, float) and value <= 1 else value
    if pixels != int(pixels) or not at_least <= pixels <= side:
        raise InputError(
            f"{key}={value} does not fit images of {side} px: "
            f"type {at_least} to {side} (pixels) or a share of the side up to 1.0"
        )
    return int(pixels)


def uniform_inclusive(
    low: int | Tensor, high: int | Tensor, shape: tuple[int, ...], generator: Generator
) -> Tensor:
    """Whole numbers, each of low..high (both included) equally often; bounds may be tensors."""
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return low + (uniform * (high - low + 1)).long()


def spans(start: Tensor, length: Tensor, side: int) -> Tensor:
    """1 inside [start, start + length), else 0: (...) and (...) to (..., side)."""
    position = torch.arange(side, device=start.device)
    start, length = start[..., None], length[..., None]
    return ((position >= start) & (position < start + length)).float()
