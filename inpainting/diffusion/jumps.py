"""Walks that go back up in noise from time to time (RePaint, arXiv 2201.09865, section 4.2).

"Resampling", "time travel": going back up lets the hole and its surroundings agree.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

from inpainting.diffusion.process import Diffusion
from inpainting.errors import check_whole


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
        neighbours differ by one; the last is -1, the clean image

    Raises:
        InputError: not a whole number, or below 1.
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
