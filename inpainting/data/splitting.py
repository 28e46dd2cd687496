"""The random split of a data set into train, val and test."""

from collections.abc import Sequence

import numpy as np

from inpainting.data.arrays import SPLITS
from inpainting.errors import InputError


def split_indices(
    count: int, shares: Sequence[float] = (0.85, 0.10, 0.05), split_seed: int = 2020
) -> dict[str, np.ndarray]:
    """Split `count` images at random into train, val and test.

    The order within a split is random too, so that its first images are a fair sample of it.

    Args:
        count: number of images, 3 or more
        shares: positive shares of train, val and test, which sum to 1
        split_seed: seed of the permutation

    Returns:
        the indices of each split by name: disjoint, complete and never empty

    Raises:
        InputError: `count` is below 3, or `shares` are not three positive numbers with sum 1.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise InputError(
            f"data.shares={list(shares)}: type three positive numbers that sum to 1, "
            "for instance data.shares=[.85,.10,.05]"
        )
    if count < 3:
        raise InputError(
            f"{count} images cannot be split into train, val and test: add images to have 3 or more"
        )
    val, test = (max(1, round(share * count)) for share in shares[1:])
    train = max(1, count - val - test)
    val = min(val, count - train - 1)
    order = np.random.default_rng(split_seed).permutation(count)
    return dict(zip(SPLITS, np.split(order, [train, train + val]), strict=True))
