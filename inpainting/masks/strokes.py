"""Free-form holes: random walks of thick lines, taken from a bank of drawings.

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
from inpainting.values import Count, Natural, Weight

_TRIES = 200  # drawings per mask before `max_share` is refused as too small


@dataclass(frozen=True)
class Strokes:
    """Brush strokes with round joints.

    The image is treated as a torus: a stroke that leaves on the right comes back on the left.
    Rolling a drawing by any offset therefore gives an equally likely drawing without cut edges.
    Masks are rolled and mirrored copies from a bank drawn once for each image size, so that a bank
    of `bank_size` drawings represents bank_size * 4 * height * width masks.

    `strokes`, `segments`, `length` and `width` are numbers or ranges [low, high].

    Attributes:
        strokes: number of strokes
        segments: number of lines in a stroke
        length: length of a line, as a share of the shorter image side
        width: width of a stroke, as a share of the shorter image side; at least one pixel is drawn
        turn: largest change of direction between two lines, in radians
        max_share: largest share of the image in the hole; a drawing with more is drawn again
        bank_size: number of drawings for each image size
        bank_seed: seed of the drawings, independent of all other seeds
    """

    strokes: Range
    segments: Range
    length: Range
    width: Range
    turn: Weight = 2.0
    max_share: float = 0.5
    bank_size: Count = 256
    bank_seed: Natural = 0

    def __post_init__(self) -> None:
        for name in ("strokes", "segments", "length", "width"):
            whole = name in ("strokes", "segments")
            pair = as_range(getattr(self, name), f"mask.{name}", whole)
            if pair[0] <= 0:
                raise InputError(f"mask.{name}={list(pair)} draws no hole: type a value above 0")
            object.__setattr__(self, name, pair)  # a tuple is hashable, as the cache of _bank needs
        if self.length[1] + self.width[1] / 2 > 1:
            raise InputError(
                f"mask.length={self.length[1]} with mask.width={self.width[1]} is longer than the "
                "image: type values with length + width / 2 of at most 1"
            )
        if not 0 < self.max_share < 1:
            raise InputError(f"mask.max_share={self.max_share}: type a share above 0 and below 1")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 of 0 and 1 (hole)."""
        windows = _bank(self, height, width, generator.device)
        pick = uniform_inclusive(0, 2 * self.bank_size - 1, (batch_size, 1), generator)
        top, left = (
            uniform_inclusive(0, side - 1, (batch_size, 1), generator) for side in (height, width)
        )
        step = 1 - 2 * uniform_inclusive(0, 1, (batch_size, 1), generator)  # -1: upside down
        row = (top + step * torch.arange(height, device=generator.device)) % height  # (B, H)
        start = (pick * height + row) * 2 * width + left
        holes = windows.index_select(0, start.flatten())  # (B * H, W)
        return holes.view(batch_size, 1, height, width).float()

    def draw(self, count: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """Draw masks one by one with OpenCV, without the bank.

        Returns:
            (count, height, width) uint8, 1 = hole

        Raises:
            InputError: 200 drawings in a row cover more than `max_share`.
        """
        return np.stack([self._draw_one(height, width, rng) for _ in range(count)])

    def _draw_one(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """Draw one mask, (H, W) uint8 with 1 = hole."""
        for _ in range(_TRIES):
            # Strokes start in the middle ninth; folding the canvas then puts them on the torus.
            canvas = np.zeros((3 * height, 3 * width), np.uint8)
            for _ in range(rng.integers(self.strokes[0], self.strokes[1] + 1)):
                self._draw_stroke(canvas, height, width, rng)
            mask = canvas.reshape(3, height, 3, width).max(axis=(0, 2))
            if np.count_nonzero(mask) <= self.max_share * mask.size:
                return mask
        raise InputError(
            f"mask.max_share={self.max_share} is too small for these strokes at {height}x{width} "
            "px: type a larger share, or fewer or thinner strokes"
        )

    def _draw_stroke(
        self, canvas: np.ndarray, height: int, width: int, rng: np.random.Generator
    ) -> None:
        """Draw one stroke as a random walk of lines, each starting in the middle ninth."""
        side = min(height, width)
        radius = round((side * rng.uniform(*self.width) - 1) / 2)
        # With thickness 1, 2, 4, 6, OpenCV draws lines of 1, 3, 5, 7 px; 3 and 5 give 5 and 7 px.
        thickness = max(1, 2 * radius)
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        direction = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(self.segments[0], self.segments[1] + 1)):
            length = side * rng.uniform(*self.length)
            end_y, end_x = y + length * np.sin(direction), x + length * np.cos(direction)
            start = (round(x) + width, round(y) + height)
            end = (round(end_x) + width, round(end_y) + height)
            cv2.line(canvas, start, end, 1, thickness)  # round ends, hence round joints
            y, x = end_y % height, end_x % width
            direction += rng.uniform(-self.turn, self.turn)


@lru_cache(maxsize=16)  # the kinds of a mixture, on one or two devices
def _bank(kind: Strokes, height: int, width: int, device: torch.device) -> Tensor:
    """Return the drawings and their mirror images as windows of W consecutive pixels.

    Each image row is stored twice, side by side, so that the row rolled by any offset is one
    contiguous window; reading windows is twice as fast as gathering single pixels.

    Returns:
        (2 * bank_size * H * 2 * W - W + 1, W) uint8, a view of every window of W pixels
    """
    rng = np.random.default_rng(kind.bank_seed)
    drawn = torch.from_numpy(kind.draw(kind.bank_size, height, width, rng)).to(device)
    both = torch.cat([drawn, drawn.flip(2)])  # (2 N, H, W)
    return torch.cat([both, both], 2).flatten().unfold(0, width, 1)
