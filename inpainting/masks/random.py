"""Holes in random places: rectangles and single pixels; also mixtures of kinds and no hole."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.masks.drawing import Kind, Range, as_range, spans, to_pixels, uniform_inclusive
from inpainting.values import Weight


@dataclass(frozen=True)
class Rectangle:
    """Rectangles with uniformly distributed sizes and positions.

    Sides are given in pixels (whole numbers) or as shares of the image side (fractions up to 1).

    Attributes:
        min_side: smallest side
        max_side: largest side
        aspect: height / width, a number or a range drawn log-uniformly; sqrt(height * width) then
            lies between the sides, whose shares are of the shorter image side. None draws height
            and width independently
        area: share of the image, or its range, drawn uniformly as in torchvision's RandomErasing;
            it replaces the two sides and needs an aspect
        count: number of rectangles, or its range; they may overlap
    """

    min_side: Weight = 0.3125
    max_side: Weight = 0.40625
    aspect: Range | None = None
    area: Range | None = None
    count: int | Sequence[int] = 1

    def __post_init__(self) -> None:
        if as_range(self.count, "mask.count", whole=True)[0] < 1:
            raise InputError(f"mask.count={self.count} draws no hole: type 1 or more")
        if self.aspect is not None and as_range(self.aspect, "mask.aspect")[0] <= 0:
            raise InputError(
                f"mask.aspect={self.aspect} is not above 0: type a ratio of height to width"
            )
        if self.area is not None:
            low, high = as_range(self.area, "mask.area")
            if low <= 0 or high >= 1 or self.aspect is None:
                raise InputError(
                    f"mask.area={self.area} with mask.aspect={self.aspect}: type a share above 0 "
                    "and below 1, and an aspect such as [0.3,3.3]"
                )

    def _bounds(self, side: int) -> tuple[int, int]:
        """Return smallest and largest side in pixels, for images of `side` px."""
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
        """Draw heights and widths in pixels, two int64 tensors of `shape`."""
        if self.aspect is None:
            heights = uniform_inclusive(*self._bounds(height), shape, generator)
            return heights, uniform_inclusive(*self._bounds(width), shape, generator)
        low, high = as_range(self.aspect, "mask.aspect")
        bounds = self._bounds(min(height, width))
        if self.area is not None:
            share = as_range(self.area, "mask.area")
            bounds = tuple((part * height * width) ** 0.5 for part in share)
        if bounds[1] * high**0.5 > height or bounds[1] * low**-0.5 > width:
            raise InputError(
                f"mask.aspect={self.aspect} does not fit images of {height}x{width} px with "
                f"mask.{'max_side' if self.area is None else 'area'}: type a narrower range or a "
                "smaller hole"
            )
        if self.area is None:
            side = uniform_inclusive(*bounds, shape, generator)
        else:
            area = torch.rand(shape, generator=generator, device=generator.device)
            side = (bounds[0] ** 2 + area * (bounds[1] ** 2 - bounds[0] ** 2)).sqrt()
        exponent = torch.rand(shape, generator=generator, device=generator.device)
        # Log-uniform, so that 1:2 is as likely as 2:1.
        root = (low * (high / low) ** exponent).sqrt()
        return (side * root).round().clamp(min=1).long(), (side / root).round().clamp(min=1).long()

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        fewest, most = as_range(self.count, "mask.count", whole=True)
        shape = (batch_size, most)
        heights, widths = self._sizes(shape, height, width, generator)
        rows = spans(uniform_inclusive(0, height - heights, shape, generator), heights, height)
        columns = spans(uniform_inclusive(0, width - widths, shape, generator), widths, width)
        number = uniform_inclusive(fewest, most, (batch_size, 1), generator)
        present = torch.arange(most, device=generator.device) < number  # (B, count)
        # A matrix product sums over the rectangles without a (B, count, H, W) tensor.
        return ((rows * present[..., None]).mT @ columns > 0).float()[:, None]


@dataclass(frozen=True)
class Pixels:
    """Single pixels in random places.

    Attributes:
        share: share of all pixels in the hole, or a range from which each image draws its share.
            The rounded share is met exactly, except that at least one pixel is in the hole and
            one is known
    """

    share: Range = 0.5

    def __post_init__(self) -> None:
        low, high = as_range(self.share, "mask.share")
        if low <= 0 or high >= 1:
            raise InputError(f"mask.share={self.share}: type a share above 0 and below 1")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        low, high = as_range(self.share, "mask.share")
        uniform = torch.rand(batch_size, 1, generator=generator, device=generator.device)
        area = height * width
        number = ((low + (high - low) * uniform) * area).round().clamp(1, area - 1)
        scores = torch.rand(batch_size, area, generator=generator, device=generator.device)
        erased = (torch.arange(area, device=generator.device) < number).float()
        hole = torch.zeros_like(scores).scatter_(1, scores.argsort(1), erased)
        return hole.view(batch_size, 1, height, width)


@dataclass(frozen=True)
class Mixed:
    """A mixture: one of several kinds is drawn for each image.

    Attributes:
        kinds: the kinds by name
        weights: relative frequencies under the same names; they need not sum to 1
    """

    kinds: dict[str, Kind]
    weights: dict[str, Weight]

    def __post_init__(self) -> None:
        if self.kinds.keys() != self.weights.keys():
            raise InputError(
                f"mask.weights names {sorted(self.weights)} but mask.kinds names "
                f"{sorted(self.kinds)}: type one weight for each kind"
            )
        if min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
            raise InputError(
                f"mask.weights={self.weights}: type weights of 0 or more, at least one above 0"
            )

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 in [0, 1], 1 = hole."""
        # Every kind draws a whole batch, which costs less than synchronising with the device to
        # learn how many images each kind was drawn for.
        used = {name: kind for name, kind in self.kinds.items() if self.weights[name] > 0}
        masks = torch.stack([kind(batch_size, height, width, generator) for kind in used.values()])
        total, cumulative = sum(self.weights.values()), 0.0
        uniform = torch.rand(batch_size, generator=generator, device=generator.device)
        choice = torch.zeros(batch_size, dtype=torch.long, device=generator.device)
        for name in list(used)[:-1]:
            cumulative += self.weights[name] / total
            choice += uniform >= cumulative
        return masks[choice, torch.arange(batch_size, device=generator.device)]


@dataclass(frozen=True)
class Nothing:
    """No hole, for autoencoding and for methods that change the whole image."""

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Return empty masks, (B, 1, H, W) float32 of zeros."""
        return torch.zeros(batch_size, 1, height, width, device=generator.device)
