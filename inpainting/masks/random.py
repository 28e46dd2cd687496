"""Holes at random places: rectangles and single pixels; mixtures of kinds; no hole at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.masks.drawing import Kind, Range, as_range, spans, to_pixels, uniform_inclusive


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
            heights = uniform_inclusive(*self._bounds(height), shape, generator)
            return heights, uniform_inclusive(*self._bounds(width), shape, generator)
        low, high = as_range(self.aspect, "mask.aspect")
        bounds = self._bounds(min(height, width))
        if bounds[1] * high**0.5 > height or bounds[1] * low**-0.5 > width:
            raise InputError(
                f"mask.aspect={self.aspect} with mask.max_side={self.max_side} does not fit "
                f"images of {height}x{width} px: type a smaller max_side or a narrower range"
            )
        side = uniform_inclusive(*bounds, shape, generator)
        exponent = torch.rand(shape, generator=generator, device=generator.device)
        root = (low * (high / low) ** exponent).sqrt()  # log-uniform: 1:2 as often as 2:1
        return (side * root).round().clamp(min=1).long(), (side / root).round().clamp(min=1).long()

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        fewest, most = as_range(self.count, "mask.count", whole=True)
        shape = (batch_size, most)
        heights, widths = self._sizes(shape, height, width, generator)
        rows = spans(uniform_inclusive(0, height - heights, shape, generator), heights, height)
        columns = spans(uniform_inclusive(0, width - widths, shape, generator), widths, width)
        number = uniform_inclusive(fewest, most, (batch_size, 1), generator)
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
    """No hole at all: for autoencoding and for methods that change the whole image."""

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        return torch.zeros(batch_size, 1, height, width, device=generator.device)
