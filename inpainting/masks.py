"""Kinds of hole: small callables that draw one hole for each sample, in batches, on the device.

`kind(batch_size, height, width, generator)` returns (B, 1, H, W) float32 with 1 = hole, on the
generator's device; all chance comes from the generator, and a kind's repr names its whole spec.
Sizes given as whole numbers (20) are pixels, those given as fractions (0.3125) shares of the side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.files import list_pictures, read_mask
from inpainting.image import resize

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


def integers(
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


@dataclass(frozen=True)
class Rectangle:
    """Rectangles of random size at a random place, every size and every place equally often.

    Attributes:
        min_side: smallest side
        max_side: largest side
        aspect: range of height / width; then sqrt(height * width) lies within the sides (shares
            of the shorter image side). None: height and width are drawn independently
        count: number of rectangles, or a range of it; they may overlap
    """

    min_side: float = 0.3125
    max_side: float = 0.40625
    aspect: Range | None = None
    count: int | Sequence[int] = 1

    def __post_init__(self) -> None:
        if as_range(self.count, "mask.count", whole=True)[0] < 1:
            raise InputError(f"mask.count={self.count} draws no hole: type 1 or more")
        if self.aspect is not None and as_range(self.aspect, "mask.aspect")[0] <= 0:
            raise InputError(f"mask.aspect={self.aspect} must be above 0: type height / width")

    def _bounds(self, side: int) -> tuple[int, int]:
        low = to_pixels(self.min_side, side, "mask.min_side")
        high = to_pixels(self.max_side, side, "mask.max_side")
        if low > high:
            raise InputError(
                f"mask.min_side={self.min_side} is above mask.max_side={self.max_side}: "
                "type a smaller min_side"
            )
        return low, high

    def _sizes(
        self, shape: tuple[int, int], height: int, width: int, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        if self.aspect is None:
            heights = integers(*self._bounds(height), shape, generator)
            return heights, integers(*self._bounds(width), shape, generator)
        low, high = as_range(self.aspect, "mask.aspect")
        bounds = self._bounds(min(height, width))
        if bounds[1] * high**0.5 > height or bounds[1] * low**-0.5 > width:
            raise InputError(
                f"mask.aspect={self.aspect} with mask.max_side={self.max_side} does not fit "
                f"images of {height}x{width} px: type a smaller max_side or a narrower range"
            )
        side = integers(*bounds, shape, generator)
        exponent = torch.rand(shape, generator=generator, device=generator.device)
        root = (low * (high / low) ** exponent).sqrt()  # log-uniform: 1:2 as often as 2:1
        return (side * root).round().clamp(min=1).long(), (side / root).round().clamp(min=1).long()

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        fewest, most = as_range(self.count, "mask.count", whole=True)
        shape = (batch_size, most)
        heights, widths = self._sizes(shape, height, width, generator)
        rows = spans(integers(0, height - heights, shape, generator), heights, height)
        columns = spans(integers(0, width - widths, shape, generator), widths, width)
        number = integers(fewest, most, (batch_size, 1), generator)
        present = torch.arange(most, device=generator.device) < number  # (B, count)
        # The sum over the rectangles as one product, without a (B, count, H, W) tensor.
        return ((rows * present[..., None]).mT @ columns > 0).float()[:, None]


@dataclass(frozen=True)
class Pixels:
    """Single pixels at random places.

    Attributes:
        share: of all pixels, exactly so many (but at least one is missing and one known); or a
            range, drawn for each sample
    """

    share: Range = 0.5

    def __post_init__(self) -> None:
        low, high = as_range(self.share, "mask.share")
        if low <= 0 or high >= 1:
            raise InputError(f"mask.share={self.share}: type a share above 0 and below 1")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        low, high = as_range(self.share, "mask.share")
        uniform = torch.rand(batch_size, 1, generator=generator, device=generator.device)
        area = height * width
        number = ((low + (high - low) * uniform) * area).round().clamp(1, area - 1)
        scores = torch.rand(batch_size, area, generator=generator, device=generator.device)
        missing = (torch.arange(area, device=generator.device) < number).float()
        hole = torch.zeros_like(scores).scatter_(1, scores.argsort(1), missing)
        return hole.view(batch_size, 1, height, width)


@dataclass(frozen=True)
class Files:
    """Mask pictures of a file or a folder, one drawn at random for each sample.

    They are read once for each image size and kept as bytes on the device.

    Attributes:
        path: a picture, or a folder that is searched recursively
        hole: the colour of the hole, white or black
        flip: mirror at random in both directions, for more masks than there are files
    """

    path: str
    hole: str = "white"
    flip: bool = False

    def __post_init__(self) -> None:
        if self.hole not in ("white", "black"):
            raise InputError(f"mask.hole={self.hole}: type white or black, the colour of the hole")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        bank = _read_bank(self, height, width, generator.device)  # (N, 1, H, W) uint8
        masks = bank[integers(0, len(bank) - 1, (batch_size,), generator)]
        if self.flip:
            for side in (2, 3):
                turned = integers(0, 1, (batch_size, 1, 1, 1), generator) > 0
                masks = torch.where(turned, masks.flip(side), masks)
        return masks.float() / 255


@lru_cache(maxsize=4)  # training and evaluation, on one or two devices
def _read_bank(kind: Files, height: int, width: int, device: torch.device) -> Tensor:
    """All masks of a `Files`, (N, 1, H, W) uint8 with 255 = hole."""
    files = [Path(kind.path)] if Path(kind.path).is_file() else list_pictures(kind.path)
    if not files:
        raise InputError(f"mask.path={kind.path} holds no picture: type the folder of the masks")
    bank = torch.empty(len(files), 1, height, width, dtype=torch.uint8)
    for row, file in zip(bank, files, strict=True):
        mask = read_mask(file, kind.hole)
        if ((mask == 0) | (mask == 1)).all():  # stays two-valued
            mask = F.interpolate(mask, (height, width), mode="nearest-exact")
        row.copy_((resize(mask, height, width) * 255).round()[0])
        if row.all():
            raise InputError(
                f"{file} has no known pixel at {height}x{width}: leave it out, or type "
                "mask.hole=black if black marks its hole"
            )
    return bank.to(device)


@dataclass(frozen=True)
class Mixed:
    """One of several kinds for each sample.

    Attributes:
        kinds: the kinds by name
        weights: how often each is drawn, by the same names; they need not add up to 1
    """

    kinds: dict[str, Kind]
    weights: dict[str, float]

    def __post_init__(self) -> None:
        if self.kinds.keys() != self.weights.keys():
            raise InputError(
                f"mask.weights names {sorted(self.weights)} and mask.kinds {sorted(self.kinds)}: "
                "type one weight for each kind"
            )
        if min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
            raise InputError(f"mask.weights={self.weights}: type 0 or more, and one above 0")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        # Every kind draws for the whole batch: cheaper than to ask the device who needs which.
        used = {name: kind for name, kind in self.kinds.items() if self.weights[name] > 0}
        masks = torch.stack([kind(batch_size, height, width, generator) for kind in used.values()])
        total, reached = sum(self.weights.values()), 0.0
        uniform = torch.rand(batch_size, generator=generator, device=generator.device)
        choice = torch.zeros(batch_size, dtype=torch.long, device=generator.device)
        for name in list(used)[:-1]:
            reached += self.weights[name] / total
            choice += uniform >= reached
        return masks[choice, torch.arange(batch_size, device=generator.device)]


@dataclass(frozen=True)
class Nothing:
    """No hole at all: for autoencoding and for methods that change the whole picture."""

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        return torch.zeros(batch_size, 1, height, width, device=generator.device)
