"""Holes in fixed places: half, box, expand, every second line and super-resolution.

Most follow the masks of RePaint (arXiv 2201.09865).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.masks.drawing import to_pixels, uniform_inclusive


def _repeated(hole: Tensor, batch_size: int) -> Tensor:
    """Repeat one (H, W) hole for each image of a batch: (B, 1, H, W) float32."""
    return hole.float().expand(batch_size, 1, -1, -1).contiguous()


@dataclass(frozen=True)
class Half:
    """A hole over one half of the image; of an odd side, the half is rounded down.

    Attributes:
        side: "left", "right", "top", "bottom", or "random", which draws one for each image
    """

    side: str = "random"

    def __post_init__(self) -> None:
        if self.side not in ("random", "left", "right", "top", "bottom"):
            raise InputError(f"mask.side={self.side}: type random, left, right, top or bottom")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        y = torch.arange(height, device=generator.device)[:, None].expand(height, width)
        x = torch.arange(width, device=generator.device)[None, :].expand(height, width)
        halves = {
            "left": x < width // 2,
            "right": x >= width - width // 2,
            "top": y < height // 2,
            "bottom": y >= height - height // 2,
        }
        if self.side != "random":
            return _repeated(halves[self.side], batch_size)
        return torch.stack(list(halves.values()))[
            uniform_inclusive(0, 3, (batch_size, 1), generator)
        ].float()


@dataclass(frozen=True)
class Box:
    """The same rectangle for each image.

    Whole numbers are pixels, fractions up to 1 are shares of the image height or width.

    Attributes:
        top: first row
        left: first column
        height: number of rows, or a share of the image height
        width: number of columns, or a share of the image width
    """

    top: float = 0.25
    left: float = 0.25
    height: float = 0.5
    width: float = 0.5

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        hole = torch.zeros(height, width, device=generator.device)
        top = to_pixels(self.top, height, "mask.top", at_least=0)
        left = to_pixels(self.left, width, "mask.left", at_least=0)
        bottom = top + to_pixels(self.height, height, "mask.height")
        right = left + to_pixels(self.width, width, "mask.width")
        if bottom > height or right > width:
            raise InputError(
                f"the box of mask.top, mask.left, mask.height and mask.width ends at row {bottom} "
                f"and column {right} of images of {height}x{width} px: type a smaller box"
            )
        hole[top:bottom, left:right] = 1
        return _repeated(hole, batch_size)


@dataclass(frozen=True)
class Expand:
    """A hole around a centred rectangle of known pixels (RePaint's "expand").

    Attributes:
        known_share: sides of the known rectangle: a share of each image side, or whole pixels
    """

    known_share: float = 0.25

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        known = [to_pixels(self.known_share, side, "mask.known_share") for side in (height, width)]
        if known == [height, width]:
            raise InputError(
                f"mask.known_share={self.known_share} leaves no hole: type a share below 1"
            )
        top, left = (height - known[0]) // 2, (width - known[1]) // 2
        hole = torch.ones(height, width, device=generator.device)
        hole[top : top + known[0], left : left + known[1]] = 0
        return _repeated(hole, batch_size)


@dataclass(frozen=True)
class EverySecondLine:
    """A hole over the rows 1, 3, 5, ..., counted from 0 (RePaint's "alternating lines")."""

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        hole = torch.zeros(height, width, device=generator.device)
        hole[1::2] = 1
        return _repeated(hole, batch_size)


@dataclass(frozen=True)
class SuperResolution:
    """A hole that leaves every `factor`-th pixel of every `factor`-th row known (RePaint's "nn2").

    Attributes:
        factor: distance between known pixels along each axis, 2 or more
    """

    factor: int = 2

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise InputError(f"mask.factor={self.factor} leaves no hole: type 2 or more")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        hole = torch.ones(height, width, device=generator.device)
        hole[:: self.factor, :: self.factor] = 0
        return _repeated(hole, batch_size)
