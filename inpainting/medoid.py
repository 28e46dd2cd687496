"""The most typical of several samples."""

import torch
from torch import Tensor


def medoid(samples: Tensor) -> Tensor:
    """Of several fillings of a hole, the one that is nearest to the others.

    One sample is as likely to be an unlikely filling as the model holds it; the mean of many is
    blurred. The sample of least mean squared distance to the others is sharp, and typical.

    Args:
        samples: (K, B, C, H, W)

    Returns:
        (B, C, H, W); of two samples, which are equally near, the first
    """
    flat = samples.flatten(2).transpose(0, 1)  # (B, K, N)
    # Not by a matrix product, which loses the digits that tell near samples apart.
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist").square()
    nearest = distances.sum(2).argmin(1)
    return samples[nearest, torch.arange(len(nearest), device=nearest.device)]
