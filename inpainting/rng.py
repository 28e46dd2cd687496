"""Generators that repeats: seeds from numbers, and one generator for each image.

Evaluation draws an image's noise from the image's own generator, so that what comes out does not
depend on how images were dealt out to batches and devices.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# One generator for all, one for each image of a batch, or torch's own
Generators = torch.Generator | Sequence[torch.Generator] | None


def seed_from(*key: int) -> int:
    """A 63-bit seed from a tuple of numbers; different tuples of one length give unrelated ones.

    NumPy's SeedSequence takes zeros at the end for nothing, so lengths must not be mixed.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def image_generators(
    index: Tensor, device: torch.device, *key: int, completions: int = 1
) -> list[torch.Generator]:
    """Generators that depend on an image's index, the completion's number and the key alone.

    Args:
        index: (B,) int64
        device: of what will be drawn
        key: tells this use from others
        completions: k of each image

    Returns:
        B * k, the k of an image beside each other
    """
    return [
        torch.Generator(device).manual_seed(seed_from(*key, image, completion))
        for image in index.tolist()
        for completion in range(completions)
    ]


def normal_(x: Tensor, chance: Generators) -> Tensor:
    """Fill `x` (B, …), which is contiguous, with standard normal numbers.

    Raises:
        ValueError: there are not as many generators as images.
    """
    if not isinstance(chance, Sequence):
        return x.normal_(generator=chance)
    for one, generator in zip(x, chance, strict=True):
        one.normal_(generator=generator)
    return x


def random_times(high: int, count: int, device: torch.device, chance: Generators) -> Tensor:
    """(count,) int64, uniform in [0, high)."""
    if not isinstance(chance, Sequence):
        return torch.randint(high, (count,), device=device, generator=chance)
    drawn = [torch.randint(high, (1,), device=device, generator=one) for one in chance]
    return torch.cat(drawn)


def default_generator(device: torch.device) -> torch.Generator:
    """Torch's own generator of a device."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator
