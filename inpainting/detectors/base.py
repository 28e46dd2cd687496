"""What all detectors of people have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from inpainting.errors import InputError, check_whole


def share(key: str, value: object) -> None:
    """Refuse a value that is no share of 1.

    Raises:
        InputError: `value` is not a number in (0, 1].
    """
    if not isinstance(value, int | float) or not 0 < value <= 1:
        raise InputError(f"{key}={value}: type a number above 0, up to 1")


class Detector(ABC):
    """Finds the people in photographs, each with a box and a score.

    Every score from `confidence` on is stored, so that another threshold needs no second pass.

    Args:
        threshold: a photograph counts as one with people if its highest score is this or more
        confidence: lowest score that is stored
        image_size: longer side to which a photograph is scaled before it is searched, in pixels
        batch_size: photographs in one forward pass
        device: "auto" takes a GPU if there is one; or a name of torch's, such as cpu or cuda:1
        half: compute in half precision, on a GPU only

    Raises:
        InputError: a value is impossible, or `half` is true without a GPU.
    """

    def __init__(
        self,
        *,
        threshold: float,
        confidence: float,
        image_size: int,
        batch_size: int,
        device: str,
        half: bool,
    ):
        share("detector.threshold", threshold)
        share("detector.confidence", confidence)
        if threshold < confidence:
            raise InputError(
                f"detector.threshold={threshold} is below detector.confidence={confidence}, the "
                f"lowest score that is stored: type detector.confidence={threshold}, which "
                "searches all photographs again, or a higher threshold"
            )
        check_whole("detector.image_size", image_size, 32)
        check_whole("detector.batch_size", batch_size, 1)
        self.threshold, self.confidence = float(threshold), float(confidence)
        self.image_size, self.batch_size, self.half = image_size, batch_size, half
        found = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = found if device == "auto" else device
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"detector.device={device}: there is no GPU here; type cpu or auto")
        if half and self.device == "cpu":
            raise InputError("detector.half=true needs a GPU: type detector.half=false")

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that the scores depend on, such as the checksum of the weights."""

    @abstractmethod
    def detect(self, photographs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the people in photographs.

        Args:
            photographs: each (H, W, 3) uint8 RGB, of any size

        Returns:
            for each photograph (N, 5) float32, the highest score first: score, left, top, right
            and bottom of each person, the edges as shares of the photograph's width and height
        """
