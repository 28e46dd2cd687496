"""A canvas with a face's own coordinates, and the shapes that a drawn face consists of."""

from dataclasses import dataclass

import cv2
import numpy as np

SUBPIXEL = 4  # bits after the point in the coordinates that OpenCV gets
ROUND = np.linspace(0, 2 * np.pi, 48, endpoint=False)


def between(rng: np.random.Generator, colours: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Draw a colour between two neighbours of a list."""
    position = rng.uniform(0, len(colours) - 1)
    low = int(position)
    share = position - low
    return (1 - share) * np.array(colours[low]) + share * np.array(colours[low + 1])


@dataclass
class FaceCanvas:
    """A canvas in the face's own coordinates: (0, 0) between the eyes, one unit the image's side.

    Attributes:
        canvas: (side, side, 3) uint8, RGB
        rng: draws what varies
        turn: how far the head turns to one side; nearer features move further
        matrix: (2, 2) scale and tilt
        origin: where (0, 0) lies in the image, as shares of its side
    """

    canvas: np.ndarray
    rng: np.random.Generator
    turn: float
    matrix: np.ndarray
    origin: np.ndarray

    def pixels(self, points: np.ndarray, depth: float) -> np.ndarray:
        """Map (N, 2) points to OpenCV's fixed-point pixels."""
        moved = np.asarray(points, float) + [self.turn * depth, 0]
        image = (moved @ self.matrix.T + self.origin) * len(self.canvas) - 0.5
        return np.round(image * 2**SUBPIXEL).astype(np.int32)

    def area(self, points: np.ndarray, colour: np.ndarray, depth: float = 1.0) -> None:
        """Fill a polygon."""
        cv2.fillPoly(
            self.canvas, [self.pixels(points, depth)], _scalar(colour), cv2.LINE_AA, SUBPIXEL
        )

    def line(
        self,
        points: np.ndarray,
        colour: np.ndarray,
        width: float,
        closed: bool = False,
        depth: float = 1.0,
    ) -> None:
        """Draw a line through the points, `width` in units of the face."""
        pixels = max(1, round(width * len(self.canvas) * float(np.linalg.norm(self.matrix[0]))))
        cv2.polylines(
            self.canvas,
            [self.pixels(points, depth)],
            closed,
            _scalar(colour),
            pixels,
            cv2.LINE_AA,
            SUBPIXEL,
        )


def _scalar(colour: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in np.clip(colour, 0, 255))


def ellipse(x: float, y: float, width: float, height: float, power: float = 1.0) -> np.ndarray:
    """Points of an ellipse with these half axes; a power below 1 makes it squarer."""
    cosine, sine = np.cos(ROUND), np.sin(ROUND)
    squarer = [np.sign(v) * np.abs(v) ** power for v in (cosine, sine)]
    return np.stack([x + width * squarer[0], y + height * squarer[1]], 1)


def arc(x: float, y: float, width: float, rise: float) -> np.ndarray:
    """Points of a parabola from (x - width, y) to (x + width, y) whose middle is `rise` above."""
    t = np.linspace(-1, 1, 17)
    return np.stack([x + width * t, y - rise * (1 - t**2)], 1)


def muted(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw `count` colours near grey, (count, 3)."""
    grey = rng.uniform(20, 235, (count, 1))
    return np.clip(grey + rng.normal(0, 32, (count, 3)), 0, 255)
