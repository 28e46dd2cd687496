"""One step down in noise, from x_t to x_{t-1}, given an estimate of x_0."""

import math
from typing import NamedTuple

from inpainting.diffusion.process import Diffusion
from inpainting.errors import InputError


class Step(NamedTuple):
    """Coefficients of a step down to a noise level: from_x * x + from_x_0 * x_0 + noise * z."""

    from_x: float
    from_x_0: float
    noise: float
    signal: float  # factor of x_0 at the level that the step leads to
    sigma: float  # factor of the noise at that level


def steps_down(diffusion: Diffusion, eta: float | None = None) -> list[Step]:
    """Return the coefficients of the step from each time t to t - 1.

    Every eta leads from q(x_t | x_0) to q(x_{t-1} | x_0) (arXiv 2010.02502, eq. 12); eta decides
    how much of the noise is fresh.

    Args:
        diffusion: the process, with T steps
        eta: standard deviation of the fresh noise as a share of that of all noise at t - 1, in
            [0, 1] (as in the code of DDNM); None takes DDPM's posterior q(x_{t-1} | x_t, x_0)

    Returns:
        T steps, the one from t at index t
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
    """Refuse a share of fresh noise outside [0, 1].

    Raises:
        InputError: the share is outside; the message names the key.
    """
    if eta is not None and not 0 <= eta <= 1:
        raise InputError(f"model.sampler.eta={eta}: type a number from 0 to 1")
