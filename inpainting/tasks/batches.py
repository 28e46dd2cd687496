"""Random batches of a split in memory, for the small networks that tasks train."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

BATCH = 64  # images that a small network is given at a time where it is not trained


def random_batches(
    count: int, size: int, steps: int, generator: torch.Generator
) -> Iterator[np.ndarray]:
    """Yield the indices (size,) of each step, from one random permutation after another."""
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(order) < size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:size].numpy()
        order = order[size:]


def as_float(images: np.ndarray) -> Tensor:
    """Convert (B, H, W, C) uint8 to (B, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255)
