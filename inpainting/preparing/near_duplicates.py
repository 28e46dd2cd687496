"""Images that show nearly the same in two splits, found by a perceptual hash.

The hash is the difference hash: 16 x 16 bits, each of which says whether the image gets brighter
from one of 17 columns to the next.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np

from inpainting.data.arrays import SPLITS

SIDE = 16  # 256 bits
WORDS = SIDE * SIDE // 64
CONTRAST = 4  # levels; the hash of flatter images is noise, which resembles other noise


class Pair(NamedTuple):
    """Two images in different splits that resemble each other.

    Attributes:
        first: split and index of one
        second: split and index of the other
        distance: number of bits of their hashes that differ, from 0 to 256
    """

    first: tuple[str, int]
    second: tuple[str, int]
    distance: int


def difference_hash(image: np.ndarray) -> np.ndarray | None:
    """Return the hash of an image, (4,) uint64, or None if the image is flat.

    Args:
        image: (H, W, 1 or 3) uint8
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    if small.std() < CONTRAST:
        return None
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)


def hashes(images: Iterable[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of images, (n, 4) uint64, and the positions of the n that have one."""
    found, positions = np.empty((count, WORDS), np.uint64), []
    for position, image in enumerate(images):
        one = difference_hash(image)
        if one is not None:
            found[len(positions)] = one
            positions.append(position)
    return found[: len(positions)], np.array(positions, np.int64)


def near_pairs(found: dict[str, tuple[np.ndarray, np.ndarray]], distance: int) -> Iterator[Pair]:
    """Yield the pairs of images of different splits whose hashes differ in `distance` bits or less.

    All pairs are compared: 200,000 with 30,000 images take about a minute on one core.

    Args:
        found: for each split the hashes and the indices of its images
        distance: largest number of bits
    """
    for first, second in combinations(SPLITS, 2):
        (many, many_indices), (few, few_indices) = found[first], found[second]
        first_words = np.ascontiguousarray(many[:, 0])
        for row, one in enumerate(few):
            # The first of the four words tells most pairs apart.
            near = np.flatnonzero(np.bitwise_count(first_words ^ one[0]) <= distance)
            differing = np.bitwise_count(many[near] ^ one).sum(axis=1, dtype=np.int64)
            for place in np.flatnonzero(differing <= distance):
                yield Pair(
                    (first, int(many_indices[near[place]])),
                    (second, int(few_indices[row])),
                    int(differing[place]),
                )
