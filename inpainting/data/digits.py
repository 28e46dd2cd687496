"""The handwritten digits of scikit-learn, enlarged to 28x28: real digits without a download."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.data.splitting import split_indices


def as_split(
    images: np.ndarray, files: list[str], labels: np.ndarray, image_size: int, channels: int
) -> Split:
    """Return grey images as a split, resized and repeated to the number of channels.

    Args:
        images: (N, H, W) uint8
        files: N names, one for each image
        labels: (N,) int64
        image_size: side of the result, in pixels; images are enlarged bicubically and shrunk by
            area averaging
        channels: 1, or 3 for three equal channels
    """
    if images.shape[1:] != (image_size, image_size):
        size = (image_size, image_size)
        method = cv2.INTER_AREA if image_size < images.shape[1] else cv2.INTER_CUBIC
        images = np.stack([cv2.resize(image, size, interpolation=method) for image in images])
    return Split(np.repeat(images[..., None], channels, axis=3), files, labels)


class DigitsDataModule(InpaintingDataModule):
    """1,797 digits of 8x8 px with 17 grey levels (UCI, E. Alpaydin 1998), in memory.

    Args:
        shares: shares of train, val and test, which sum to 1
        **kwargs: arguments of `InpaintingDataModule`
    """

    def __init__(self, *, shares: Sequence[float], **kwargs: Any):
        super().__init__(**kwargs)
        self.shares = list(shares)

    def read_split(self, name: str) -> Split:
        """Return the digits of a split, named by their position in scikit-learn's array."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.round(digits.images * (255 / 16)).astype(np.uint8)
        order = split_indices(len(images), self.shares, self.split_seed)[name]
        files = [f"digit/{index}" for index in order]
        labels = digits.target[order].astype(np.int64)
        return as_split(images[order], files, labels, self.image_size, self.channels)
