"""Schedules of the noise that each step of a diffusion adds."""

import math

import torch
from torch import Tensor

from inpainting.errors import check_whole

LARGEST_BETA = 0.999  # a beta of 1 would leave nothing of x_0 to divide by


def linear_betas(timesteps: int, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Betas on a straight line (arXiv 2006.11239, section 4).

    Args:
        timesteps: T
        first: beta of the first step at T = 1000; scaled by 1000 / T otherwise, so that x_T is
            close to pure noise whatever T is (unscaled, T = 80 leaves abar_T = 0.445)
        last: beta of the last step at T = 1000

    Returns:
        (T,) float64
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    scale = 1000 / timesteps
    betas = torch.linspace(
        first * scale, last * scale, timesteps, dtype=torch.float64, device="cpu"
    )
    return betas.clamp(max=LARGEST_BETA)


def cosine_betas(timesteps: int) -> Tensor:
    """Betas under which abar falls like a squared cosine (arXiv 2102.09672, eq. 17).

    Returns:
        (T,) float64
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    offset = 0.008  # eq. 17: keeps the first betas from being too small
    time = torch.arange(timesteps + 1, dtype=torch.float64, device="cpu") / timesteps
    abar = torch.cos((time + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - abar[1:] / abar[:-1]).clamp(max=LARGEST_BETA)
