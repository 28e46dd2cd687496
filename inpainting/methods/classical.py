"""Classical fills that need no training: the baselines that every method must beat."""

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from inpainting.errors import InputError
from inpainting.images.algebra import known_mean, smooth
from inpainting.methods.base import Inpainter
from inpainting.rng import Generators
from inpainting.values import Positive

LEAST_SIDE = 3  # px that OpenCV's algorithms can look at
ALGORITHMS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}


class MeanFill(Inpainter):
    """Fills each hole with the mean colour of its image's known pixels."""

    trained = False

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the mean colour at every pixel, (B, C, H, W)."""
        return known_mean(masked_image, mask).expand_as(masked_image)


class SmoothFill(Inpainter):
    """Continues the known pixels into the hole as smoothly as possible; see `membrane`."""

    trained = False

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the images with a smooth surface in their holes, (B, C, H, W)."""
        return smooth(masked_image, mask)


class OpenCVFill(Inpainter):
    """OpenCV's classical inpainting, which fills 8-bit images one after another on the CPU.

    Args:
        algorithm: "telea" (fast marching, A. Telea 2004) or "navier_stokes" (M. Bertalmio et
            al. 2001)
        radius: radius in pixels of the neighbourhood that determines the colour of a pixel
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: the algorithm is unknown.
    """

    trained = False

    def __init__(self, algorithm: str, radius: Positive = 3.0, **options: Any):
        super().__init__(**options)
        if algorithm not in ALGORITHMS:
            raise InputError(f"model.algorithm={algorithm}: type {' or '.join(ALGORITHMS)}")
        self.algorithm, self.radius = algorithm, radius

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the image as OpenCV fills it, (B, C, H, W)."""
        images = (masked_image * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        holes = (mask[:, 0] > 0).to(torch.uint8).cpu().numpy()
        filled = np.stack([self._fill(*pair) for pair in zip(images, holes, strict=True)])
        tensor = torch.from_numpy(filled).to(masked_image.device)
        return tensor.permute(0, 3, 1, 2).float().div_(255)

    def _fill(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Fill one image (H, W, C) of type uint8; OpenCV accepts 1 or 3 channels."""
        height, width, _ = image.shape
        # In an image of one row or column OpenCV reads beyond it, and fills with whatever is there.
        more = (0, LEAST_SIDE - min(height, LEAST_SIDE)), (0, LEAST_SIDE - min(width, LEAST_SIDE))
        image, hole = np.pad(image, (*more, (0, 0)), "edge"), np.pad(hole, more, "edge")
        filled = cv2.inpaint(image, hole, self.radius, ALGORITHMS[self.algorithm])
        return filled.reshape(image.shape)[:height, :width]
