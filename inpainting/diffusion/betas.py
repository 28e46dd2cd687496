"""Beta schedules: the variance of the noise that each step of a diffusion adds."""

import math

import torch
from torch import Tensor

from inpainting.errors import check_whole
from inpainting.values import Count

LARGEST_BETA = 0.999  # a beta of 1 would make abar 0, which estimates of x_0 divide by


def linear_betas(timesteps: Count, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Return betas on a straight line (arXiv 2006.11239, section 4).

    Args:
        timesteps: T, the number of steps
        first: beta of the first step at T = 1000; other T scale both ends by 1000 / T, so that x_T
            is always close to pure noise (unscaled, T = 80 leaves abar_T = 0.445)
        last: beta of the last step at T = 1000

    Returns:
        (T,) float64, at most `LARGEST_BETA`

    Raises:
        InputError: `timesteps` is not a whole number, or is below 1.
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    scale = 1000 / timesteps
    betas = torch.linspace(
        first * scale, last * scale, timesteps, dtype=torch.float64, device="cpu"
    )
    return betas.clamp(max=LARGEST_BETA)


def cosine_betas(timesteps: Count) -> Tensor:
    """Return betas under which abar falls like a squared cosine (arXiv 2102.09672, eq. 17).

    Args:
        timesteps: T, the number of steps

    Returns:
        (T,) float64, at most `LARGEST_BETA`

    Raises:
        InputError: `timesteps` is not a whole number, or is below 1.
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    offset = 0.008  # eq. 17: keeps the first betas from being too small
    time = torch.arange(timesteps + 1, dtype=torch.float64, device="cpu") / timesteps
    abar = torch.cos((time + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - abar[1:] / abar[:-1]).clamp(max=LARGEST_BETA)
