"""The medoid: the most typical of several samples."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def medoid(samples: Tensor) -> Tensor:
    """Return, for each image, the sample that is nearest to the other samples.

    A single sample is sometimes an improbable one, and the mean of many samples is blurred. The
    sample with the least mean squared distance to the others is sharp and typical. Pixels are
    compared by the means of their 3x3 neighbourhoods: a line shifted by one pixel is nearly the
    same line, although no pixel of it agrees.

    Args:
        samples: (K, B, C, H, W)

    Returns:
        (B, C, H, W); the first of samples that are equally near, as two samples always are
    """
    if len(samples) == 1:
        return samples[0]
    means = avg_pool2d(samples.flatten(0, 1), kernel_size=3, stride=1, padding=1)
    flat = means.reshape(*samples.shape[:2], -1).transpose(0, 1)  # (B, K, N)
    # A matrix product would lose the digits in which similar samples differ.
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist").square()
    nearest = distances.sum(2).argmin(1)
    return samples[nearest, torch.arange(len(nearest), device=nearest.device)]
