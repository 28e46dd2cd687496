"""Schedules that return to higher noise from time to time (RePaint, arXiv 2201.09865, section 4.2).

The papers call this "resampling" or "time travel": it lets the hole and its surroundings agree.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

from inpainting.diffusion.process import Diffusion
from inpainting.errors import check_whole


def jump_schedule(timesteps: int, jump_length: int, jump_n_sample: int) -> list[int]:
    """Return the times that RePaint visits (arXiv 2201.09865, figures 9 and 10).

    The time falls by one per network call. At each multiple of `jump_length` below
    `timesteps - jump_length` the time rises again by `jump_length`, `jump_n_sample - 1` times.

    >>> jump_schedule(4, 1, 2)
    [3, 2, 3, 2, 1, 2, 1, 0, 1, 0, -1]

    Args:
        timesteps: number of sampling steps; x_T is pure noise at time `timesteps - 1`
        jump_length: steps per jump, the paper's j
        jump_n_sample: how often each stretch is walked, the paper's r; 1 never jumps

    Returns:
        the times, of which neighbours differ by one; the last time is -1, the clean image

    Raises:
        InputError: a parameter of the jumps is not a whole number, or is below 1.
    """
    check_whole("model.sampler.jump_length", jump_length, 1)
    check_whole("model.sampler.jump_n_sample", jump_n_sample, 1)
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
    """Count the network calls of a schedule, which are its steps down."""
    return sum(after < before for before, after in pairwise(schedule))


def moves(schedule: list[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of times: each step down, and each sequence of steps up as one jump."""
    start = schedule[0]
    for now, after in pairwise([*schedule[1:], -2]):  # -2: the last time has no step up after it
        if start < now < after:
            continue
        yield start, now
        start = now


def jump(diffusion: Diffusion, start: int, end: int) -> tuple[float, float]:
    """Return the factor and the standard deviation of q(x_end | x_start).

    A step is N(sqrt(1 - beta) x, beta). A chain of steps is exactly Gaussian, with factor
    sqrt(abar_end / abar_start) and variance 1 - abar_end / abar_start.
    """
    kept = float(diffusion.alphas_cumprod[end] / diffusion.alphas_cumprod[start])
    return math.sqrt(kept), math.sqrt(1 - kept)
