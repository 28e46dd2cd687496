"""Free-form holes: random walks of thick lines, drawn once into a bank and then rolled and flipped.

The shapes follow DeepFill v2 (arXiv 1806.03589) and LaMa (arXiv 2109.07161).
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.masks.drawing import Range, as_range, uniform_inclusive

_TRIES = 200


@dataclass(frozen=True)
class Strokes:
    """Brush strokes with round joints; a kind of hole as in `inpainting.masks`.

    The image is a torus for them: a stroke that leaves it on the right comes back on the left. So
    rolling a drawing by any offset gives a drawing that is as likely, without cut edges, and a
    bank of `bank_size` drawings stands for bank_size * 4 * height * width of them.

    Attributes:
        strokes: number of strokes, range
        segments: lines of a stroke, range
        length: of a line, as shares of the shorter image side, range
        width: of a stroke, as shares of the shorter image side, range; at least one pixel
        turn: largest change of direction between two lines, in radians
        max_share: largest part of the image that may be hole; larger drawings are drawn anew
        bank_size: number of drawings for each image size
        bank_seed: seed of the drawings, apart from all other seeds
    """

    strokes: Range
    segments: Range
    length: Range
    width: Range
    turn: float = 2.0
    max_share: float = 0.5
    bank_size: int = 256
    bank_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("strokes", "segments", "length", "width"):
            whole = name in ("strokes", "segments")
            pair = as_range(getattr(self, name), f"mask.{name}", whole)
            if pair[0] <= 0:
                raise InputError(f"mask.{name}={list(pair)} draws no hole: type more than 0")
            object.__setattr__(self, name, pair)  # hashable, for the bank's cache
        if self.length[1] + self.width[1] / 2 > 1:
            raise InputError(
                f"mask.length={self.length[1]} with mask.width={self.width[1]} is longer than the "
                "image: type length + width / 2 of 1 or less"
            )
        if not 0 < self.max_share < 1:
            raise InputError(f"mask.max_share={self.max_share}: type a share between 0 and 1")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        windows = _bank(self, height, width, generator.device)
        pick = uniform_inclusive(0, 2 * self.bank_size - 1, (batch_size, 1), generator)
        top, left = (
            uniform_inclusive(0, s - 1, (batch_size, 1), generator) for s in (height, width)
        )
        turned = 1 - 2 * uniform_inclusive(0, 1, (batch_size, 1), generator)  # upside down: -1
        row = (top + turned * torch.arange(height, device=generator.device)) % height  # (B, H)
        start = (pick * height + row) * 2 * width + left
        holes = windows.index_select(0, start.flatten())  # (B * H, W)
        return holes.view(batch_size, 1, height, width).float()

    def draw(self, count: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """Draw masks one after another with OpenCV, (count, H, W) uint8 with 1 = hole.

        Raises:
            InputError: the strokes nearly always cover more than `max_share`
        """
        return np.stack([self._draw_one(height, width, rng) for _ in range(count)])

    def _draw_one(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        for _ in range(_TRIES):
            canvas = np.zeros((3 * height, 3 * width), np.uint8)  # room on all sides
            for _ in range(rng.integers(self.strokes[0], self.strokes[1] + 1)):
                self._draw_stroke(canvas, height, width, rng)
            mask = canvas.reshape(3, height, 3, width).max(axis=(0, 2))  # and back on the torus
            if np.count_nonzero(mask) <= self.max_share * mask.size:
                return mask
        raise InputError(
            f"mask.max_share={self.max_share} is too little for these strokes at {height}x{width} "
            "px: type a larger share, or fewer or thinner strokes"
        )

    def _draw_stroke(
        self, canvas: np.ndarray, height: int, width: int, rng: np.random.Generator
    ) -> None:
        side = min(height, width)
        radius = round((side * rng.uniform(*self.width) - 1) / 2)
        # OpenCV's thickness 1, 2, 4, 6 draws lines of 1, 3, 5, 7 pixels (3 and 5 of 5 and 7 too).
        thickness = max(1, 2 * radius)
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        direction = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(self.segments[0], self.segments[1] + 1)):
            length = side * rng.uniform(*self.length)
            end_y, end_x = y + length * np.sin(direction), x + length * np.cos(direction)
            start = (round(x) + width, round(y) + height)
            end = (round(end_x) + width, round(end_y) + height)
            cv2.line(canvas, start, end, 1, thickness)  # thick lines have round ends
            y, x = end_y % height, end_x % width
            direction += rng.uniform(-self.turn, self.turn)


@lru_cache(maxsize=16)  # training and evaluation, on one or two devices
def _bank(kind: Strokes, height: int, width: int, device: torch.device) -> Tensor:
    """The drawings and their mirror images, for reading whole rows from any column on.

    Each row stands there twice in a row, so that one rolled by `left` is contiguous memory: 2x
    faster than to gather its pixels.

    Returns:
        (2 * bank_size * H * 2 * W - W + 1, W) uint8: every window of W pixels, as a view
    """
    rng = np.random.default_rng(kind.bank_seed)
    drawn = torch.from_numpy(kind.draw(kind.bank_size, height, width, rng)).to(device)
    both = torch.cat([drawn, drawn.flip(2)])  # (2 N, H, W)
    return torch.cat([both, both], 2).flatten().unfold(0, width, 1)
