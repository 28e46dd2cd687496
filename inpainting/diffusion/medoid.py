"""The most typical of several samples."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def medoid(samples: Tensor) -> Tensor:
    """Of several fillings of a hole, the one that is nearest to the others.

    One sample is as likely to be an unlikely filling as the model holds it; the mean of many is
    blurred. The sample of least mean squared distance to the others is sharp, and typical. Pixels
    are compared by the means of their 3x3 neighbours: a line that lies a pixel aside is nearly the
    same line, though no pixel of it agrees.

    Args:
        samples: (K, B, C, H, W)

    Returns:
        (B, C, H, W); of two samples, which are equally near, the first
    """
    if len(samples) == 1:
        return samples[0]
    means = avg_pool2d(samples.flatten(0, 1), kernel_size=3, stride=1, padding=1)
    flat = means.reshape(*samples.shape[:2], -1).transpose(0, 1)  # (B, K, N)
    # Not by a matrix product, which loses the digits that tell near samples apart.
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist").square()
    nearest = distances.sum(2).argmin(1)
    return samples[nearest, torch.arange(len(nearest), device=nearest.device)]
