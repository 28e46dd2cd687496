"""A data set that reads whole batches, and the fixed hole of each image."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from inpainting.data.ahead import read_ahead
from inpainting.data.arrays import Split
from inpainting.data.checksums import CHECKED
from inpainting.errors import InputError
from inpainting.masks.drawing import Kind
from inpainting.rng import seed_from

Batch = dict[str, Tensor]


class ImageDataset(Dataset):
    """Images read in whole batches: one indexed copy, no decoding, no Python code per image.

    Args:
        split: the images
        masks: (N, H, W) uint8 with 255 = hole, the fixed hole of each image; None leaves the
            batches without masks
        columns: which of the split's attributes are in a batch, in this order
    """

    def __init__(self, split: Split, masks: np.ndarray | None = None, columns: Sequence[int] = ()):
        self.split, self.masks = split, masks
        # Smaller arrays are in memory: they were read for their checksums.
        self.cold = prod(split.images.shape) > CHECKED
        self.attributes = split.attributes[:, list(columns)] if columns else None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.split.images)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return the batch of these indices, with uint8 image (B, H, W, C) and mask (B, H, W)."""
        order = np.asarray(indices)
        if self.cold:
            read_ahead(self.split.images, order)
        batch = {
            "image": torch.from_numpy(self.split.images[order]),
            "index": torch.from_numpy(order),
        }
        if self.masks is not None:
            batch["mask"] = torch.from_numpy(self.masks[order])
        if self.split.labels is not None:
            batch["label"] = torch.from_numpy(self.split.labels[order])
        if self.attributes is not None:
            batch["attributes"] = torch.from_numpy(self.attributes[order])
        return batch


def as_read(batch: Batch) -> Batch:
    """Return the batch unchanged, as a collate function: `__getitems__` has collated it."""
    return batch


def draw_masks(
    mask: Kind,
    count: int,
    height: int,
    width: int,
    *key: int,
    files: Sequence[str] | None = None,
    first: int = 0,
) -> np.ndarray:
    """Draw one fixed hole for each image, which depends only on `key` and the image's index.

    A kind with a method `of_files` has the holes of these very images, such as a table that lists
    them; nothing is drawn then.

    Args:
        mask: kind of hole
        count: number of images
        height: of the images, in pixels
        width: of the images, in pixels
        *key: integers that seed the holes together with the index
        files: names of the images, if they are known
        first: index of the first of the images in their split

    Returns:
        (count, height, width) uint8, 255 = hole

    Raises:
        InputError: a hole leaves no known pixel.
    """
    of_files = getattr(mask, "of_files", None)
    masks = of_files(files, height, width) if of_files and files is not None else None
    if masks is None:
        masks = np.empty((count, height, width), dtype=np.uint8)
        generator = torch.Generator()
        for index in range(count):
            generator.manual_seed(seed_from(*key, first + index))
            drawn = mask(1, height, width, generator)
            masks[index] = (drawn[0, 0] * 255).round().to(torch.uint8).numpy()
    covered = (masks > 0).all(axis=(1, 2))
    if covered.any():
        raise InputError(
            f"the hole of image {first + int(covered.argmax())} covers all of it and leaves no "
            f"known pixel: type settings with smaller holes ({mask})"
        )
    return masks
