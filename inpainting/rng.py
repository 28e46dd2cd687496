"""Reproducible random numbers: seeds derived from integers, and one generator for each image.

Evaluation draws the noise of each image from a generator of that image, so that results do not
depend on how the images are distributed over batches and devices.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# One generator for the whole batch, one for each image, or None for torch's global generator.
Generators = torch.Generator | Sequence[torch.Generator] | None


def seed_from(*key: int) -> int:
    """Derive a seed in [0, 2**63) from a tuple of non-negative integers.

    Different tuples of the same length give unrelated seeds. Do not mix lengths: NumPy's
    SeedSequence ignores trailing zeros, so (1,) and (1, 0) give the same seed.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def image_generators(
    index: Tensor, device: torch.device, *key: int, completions: int = 1
) -> list[torch.Generator]:
    """Create generators that depend only on `key`, the image's index and the completion's number.

    Args:
        index: (B,) int64, the positions of the images in their split
        device: device of the numbers to be drawn
        *key: integers that separate this use from all others
        completions: number k of completions for each image

    Returns:
        B * k generators; the k generators of an image are adjacent
    """
    return [
        torch.Generator(device).manual_seed(seed_from(*key, image, completion))
        for image in index.tolist()
        for completion in range(completions)
    ]


def normal_(x: Tensor, generators: Generators) -> Tensor:
    """Fill `x` in place with standard normal numbers and return it.

    Args:
        x: (B, ...), contiguous
        generators: one for all, one for each of the B images, or None

    Raises:
        ValueError: the number of generators differs from B.
    """
    if not isinstance(generators, Sequence):
        return x.normal_(generator=generators)
    for image, generator in zip(x, generators, strict=True):
        image.normal_(generator=generator)
    return x


def uniform_(x: Tensor, generators: Generators) -> Tensor:
    """Fill `x` in place with numbers drawn uniformly from [0, 1), as `normal_` does."""
    if not isinstance(generators, Sequence):
        return x.uniform_(generator=generators)
    for image, generator in zip(x, generators, strict=True):
        image.uniform_(generator=generator)
    return x


def random_times(high: int, count: int, device: torch.device, generators: Generators) -> Tensor:
    """Draw integers uniformly from [0, high).

    Args:
        high: exclusive upper bound
        count: number of integers B
        device: of the result
        generators: one for all, one for each of the B integers, or None

    Returns:
        (B,) int64
    """
    if not isinstance(generators, Sequence):
        return torch.randint(high, (count,), device=device, generator=generators)
    drawn = [torch.randint(high, (1,), device=device, generator=each) for each in generators]
    return torch.cat(drawn)


def default_generator(device: torch.device) -> torch.Generator:
    """Return torch's global generator for a device."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()  # it has no public name
    return torch.default_generator
