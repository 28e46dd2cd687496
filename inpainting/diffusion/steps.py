"""One step down in noise, from x_t to x_{t-1}, given an estimate of x_0."""

import math
from typing import NamedTuple

from inpainting.diffusion.process import Diffusion
from inpainting.errors import InputError


class Step(NamedTuple):
    """One step down: x <- from_x * x + from_x_0 * x_0 + noise * z, to a given noise level."""

    from_x: float
    from_x_0: float
    noise: float
    signal: float  # of x_0 at the level that the step leads to
    sigma: float  # of the noise there


def steps_down(diffusion: Diffusion, eta: float | None = None) -> list[Step]:
    """Coefficients of the step from each time t to t - 1.

    All of them lead from q(x_t | x_0) to q(x_{t-1} | x_0) (arXiv 2010.02502, eq. 12); they differ
    in how much of the noise is fresh.

    Args:
        diffusion: T steps
        eta: share of the noise at t - 1 that is fresh, in [0, 1] as a standard deviation (as in
            the code of DDNM); None takes DDPM's posterior q(x_{t-1} | x_t, x_0)

    Returns:
        T steps
    """
    signals, sigmas = diffusion.signal.tolist(), diffusion.sigma.tolist()
    variances = diffusion.posterior_variance.tolist()
    steps = []
    for t in range(diffusion.timesteps):
        signal, sigma = (signals[t - 1], sigmas[t - 1]) if t else (1.0, 0.0)
        noise = math.sqrt(variances[t]) if eta is None else eta * sigma
        from_x = math.sqrt(max(0.0, sigma**2 - noise**2)) / sigmas[t]
        steps.append(Step(from_x, signal - from_x * signals[t], noise, signal, sigma))
    return steps


def check_eta(eta: float | None) -> None:
    """Refuse a share of fresh noise that is none.

    Raises:
        InputError: names the key.
    """
    if eta is not None and not 0 <= eta <= 1:
        raise InputError(f"model.sampler.eta={eta}: type a number from 0 to 1")
