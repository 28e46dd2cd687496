"""Filling holes with an unconditional diffusion model: RePaint (arXiv 2201.09865) and DDNM.

The known pixels steer a denoiser that never learnt to inpaint; going back up in noise from time to
time ("resampling", "time travel") lets the hole and its surroundings agree. Pictures are in
[-1, 1]. Coefficients are Python floats, so that no step waits for the device.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from inpainting.chance import Chance, normal_
from inpainting.diffusion import Diffusion
from inpainting.errors import InputError, check_whole

# x_t (B, C, H, W) and the network's times (B,) int64 to an output of the diffusion's objective
Denoiser = Callable[[Tensor, Tensor], Tensor]


def jump_schedule(timesteps: int, jump_length: int, jump_n_sample: int) -> list[int]:
    """The times that RePaint visits (arXiv 2201.09865, figures 9 and 10).

    Time falls by one, a network call each; at each multiple of `jump_length` below
    `timesteps - jump_length` it goes up again by `jump_length`, `jump_n_sample - 1` times.

    >>> jump_schedule(4, 1, 2)
    [3, 2, 3, 2, 1, 2, 1, 0, 1, 0, -1]

    Args:
        timesteps: sampling steps; x_T is pure noise at time `timesteps - 1`
        jump_length: j, steps of a jump
        jump_n_sample: r, how often each stretch is walked; 1 never jumps

    Returns:
        neighbours differ by one; the last is -1, the clean picture

    Raises:
        InputError: not a whole number, or below 1.
    """
    check_whole("model.jump_length", jump_length, 1)
    check_whole("model.jump_n_sample", jump_n_sample, 1)
    jumps = dict.fromkeys(range(0, timesteps - jump_length, jump_length), jump_n_sample - 1)
    times, t = [], timesteps
    while t >= 0:
        t -= 1
        times.append(t)
        if jumps.get(t, 0) > 0:
            jumps[t] -= 1
            times.extend(range(t + 1, t + jump_length + 1))
            t += jump_length
    return times


def network_calls(schedule: list[int]) -> int:
    """Calls of the denoiser: the steps down."""
    return sum(after < before for before, after in pairwise(schedule))


def moves(schedule: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs of times: each step down, and each run of steps up as one jump."""
    start = schedule[0]
    for now, after in pairwise([*schedule[1:], -2]):  # -2: nothing goes on up from the end
        if start < now < after:
            continue
        yield start, now
        start = now


def jump(diffusion: Diffusion, start: int, end: int) -> tuple[float, float]:
    """Factor and standard deviation of q(x_end | x_start), exactly those of all the steps between.

    A step is N(sqrt(1 - beta) x, beta); a chain of them is Gaussian, with factor
    sqrt(abar_end / abar_start) and variance 1 - abar_end / abar_start.
    """
    kept = float(diffusion.alphas_cumprod[end] / diffusion.alphas_cumprod[start])
    return math.sqrt(kept), math.sqrt(1 - kept)


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
    if eta is not None and not 0 <= eta <= 1:
        raise InputError(f"model.eta={eta}: type a number from 0 to 1")
    signals, sigmas = diffusion.signal.tolist(), diffusion.sigma.tolist()
    variances = diffusion.posterior_variance.tolist()
    steps = []
    for t in range(diffusion.timesteps):
        signal, sigma = (signals[t - 1], sigmas[t - 1]) if t else (1.0, 0.0)
        noise = math.sqrt(variances[t]) if eta is None else eta * sigma
        from_x = math.sqrt(max(0.0, sigma**2 - noise**2)) / sigmas[t]
        steps.append(Step(from_x, signal - from_x * signals[t], noise, signal, sigma))
    return steps


def _known(mask: Tensor) -> Tensor:
    """(B, 1, H, W) bool: 1 - mask, as a yes or no.

    The only place that flips the mask: RePaint's formulas, and its code, have 1 = known. A soft
    pixel (0 < mask < 1) was erased as well, so only mask = 0 is known.
    """
    return mask == 0


# x_t and t to x_0; leaves x_t as it is
Estimate = Callable[[Tensor, int], Tensor]
# x_t, x_0, noise and t to x_{t-1}; may overwrite the first three
Reverse = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def _estimate(denoiser: Denoiser, image: Tensor, diffusion: Diffusion, clip: bool) -> Estimate:
    """What the denoiser takes the clean pictures for."""
    from_x, from_output = diffusion.x_0_from_x.tolist(), diffusion.x_0_from_output.tolist()
    times = diffusion.times.to(image.device)[:, None].repeat(1, len(image)).unbind()  # T of (B,)

    def estimate(x: Tensor, t: int) -> Tensor:
        output = denoiser(x, times[t]).to(x.dtype)
        x_0 = (output * from_output[t]).add_(x, alpha=from_x[t])
        return x_0.clamp_(-1, 1) if clip else x_0

    return estimate


def _guided(
    estimate: Estimate, image: Tensor, known: Tensor, weights: list[float], clip: bool
) -> Estimate:
    """An unclipped estimate, moved to where the known pixels pull it through the network.

    The pull is (d x_0 / d x_t)^T of what x_0 misses of the known pixels (PiGDM: Song, Vahdat,
    Mardani, Kautz, ICLR 2023, eq. 7 with a mask for H and no noise on the known pixels).
    """

    def guided(x: Tensor, t: int) -> Tensor:
        # Evaluation's inference mode keeps no graph.
        with torch.inference_mode(False), torch.enable_grad():
            x = x.clone().requires_grad_()
            x_0 = estimate(x, t)
            missed = torch.where(known, image - x_0.detach(), 0.0)
            (pull,) = torch.autograd.grad(x_0, x, missed)
        x_0 = x_0.detach()
        return (x_0.clamp_(-1, 1) if clip else x_0).add_(pull, alpha=weights[t])

    return guided


@torch.no_grad()
def _walk(
    estimate: Estimate,
    image: Tensor,
    diffusion: Diffusion,
    schedule: list[int],
    generator: Chance,
    reverse: Reverse,
) -> Tensor:
    """From pure noise along a schedule; one draw of noise for each move."""
    assert schedule[0] == diffusion.timesteps - 1, "respace the diffusion to the schedule's steps"
    x, noise = torch.empty(2, *image.shape, dtype=torch.float32, device=image.device).unbind()
    normal_(x, generator)
    for start, end in moves(schedule):
        normal_(noise, generator)
        if end > start:
            factor, sigma = jump(diffusion, start, end)
            x = x.mul_(factor).add_(noise, alpha=sigma)
            continue
        x = reverse(x, estimate(x, start), noise, start)
    return x


def repaint(
    denoiser: Denoiser,
    image: Tensor,
    mask: Tensor,
    diffusion: Diffusion,
    schedule: list[int],
    generator: Chance = None,
    clip: bool = True,
) -> Tensor:
    """RePaint, algorithm 1: the known pixels are noised to x_{t-1}'s level after each step.

    Departures: known and unknown pixels share a draw of noise (no pixel is both, so they stay
    independent); the steps of a jump are one draw of the same distribution; line 5 needs the
    square root that eq. 8a has; the step is DDPM's posterior of the clipped x_0, as in the
    authors' code, with the posterior's variance, as the network learns none.

    Args:
        denoiser: called with x_t, which it must not keep, and (B,) times
        image: (B, C, H, W) in [-1, 1]; what lies under the hole is never looked at
        mask: (B, 1, H, W) in [0, 1], 1 = hole; all of mask > 0 is filled
        diffusion: respaced to as many steps as the schedule has
        schedule: from `jump_schedule`
        generator: on the image's device; one for all pictures, or one for each
        clip: hold the predicted x_0 inside [-1, 1]

    Returns:
        (B, C, H, W); known pixels are the image's, exactly
    """
    known, steps = _known(mask), steps_down(diffusion)

    def reverse(x: Tensor, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        step = steps[t]
        x.mul_(step.from_x).add_(x_0, alpha=step.from_x_0).add_(noise, alpha=step.noise)
        noised = noise.mul_(step.sigma).add_(image, alpha=step.signal)
        return torch.where(known, noised, x)

    estimate = _estimate(denoiser, image, diffusion, clip)
    return _walk(estimate, image, diffusion, schedule, generator, reverse)


def repaint_fast(
    denoiser: Denoiser,
    image: Tensor,
    mask: Tensor,
    diffusion: Diffusion,
    schedule: list[int],
    generator: Chance = None,
    clip: bool = True,
    eta: float | None = 1.0,
    guidance: float = 0.0,
) -> Tensor:
    """DDNM with time travel (arXiv 2212.00490, sections 3.2 and 3.3), for few steps.

    The known pixels replace those of the predicted x_0, not of x_{t-1}: the null-space
    decomposition of a mask. Departure: the noise that is not fresh is the one between x_t and the
    x_0 so mended (as in the paper; the authors' code takes the network's).

    Args:
        denoiser: see `repaint`
        image: see `repaint`
        mask: see `repaint`
        diffusion: see `repaint`
        schedule: from `jump_schedule`: travel length and repeats are its jumps
        generator: see `repaint`
        clip: see `repaint`
        eta: share of fresh noise, see `steps_down`. More of it makes holes agree with what
            surrounds them: 128 MNIST digits with a 10x10 hole, 50 calls, came to a hole PSNR of
            8.5, 9.2, 10.4 and 11.6 dB at 0.2, 0.5, 0.85 and 1, and 0.83, 0.84, 0.90 and 0.91 of
            them were read right. It costs spread: with the best denoiser of independent pixels of
            standard deviation 0.3, 50 steps fill them with 0.282 at 0, 0.246 at 0.85 and 0.202
            at 1
        guidance: how far the unknown pixels of x_0 go along the pull of the known ones, see
            `_guided`; 0 leaves it out, 1 is PiGDM's. It lets the known pixels decide early what
            the hole shows; each call then takes three to six times as long

    Returns:
        (B, C, H, W); known pixels are the image's, exactly
    """
    known, steps = _known(mask), steps_down(diffusion, eta)

    def reverse(x: Tensor, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        step = steps[t]
        mended = torch.where(known, image, x_0)
        return x.mul_(step.from_x).add_(mended, alpha=step.from_x_0).add_(noise, alpha=step.noise)

    if guidance:
        weights = (guidance * diffusion.signal).tolist()
        unclipped = _estimate(denoiser, image, diffusion, clip=False)
        estimate = _guided(unclipped, image, known, weights, clip)
    else:
        estimate = _estimate(denoiser, image, diffusion, clip)
    return _walk(estimate, image, diffusion, schedule, generator, reverse)
