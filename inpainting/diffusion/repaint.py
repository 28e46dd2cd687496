"""RePaint (arXiv 2201.09865): known pixels are noised to the level of each step and pasted in."""

from dataclasses import dataclass

import torch
from torch import Tensor

from inpainting.diffusion.denoiser import Denoiser
from inpainting.diffusion.jumps import jump, moves
from inpainting.diffusion.process import Diffusion
from inpainting.diffusion.steps import steps_down
from inpainting.diffusion.walk import Sampler, empty_pair
from inpainting.rng import Generators, normal_


@dataclass(frozen=True)
class RePaint(Sampler):
    """The sampler of the paper's algorithm 1.

    Departures: known and unknown pixels share a draw of noise (no pixel is both, so they stay
    independent); the steps of a jump are one draw from the same distribution; line 5 has the
    square root of eq. 8a, which the paper's listing lacks; the step is DDPM's posterior of the
    clipped x_0, as in the authors' code, with the posterior's variance, because the network learns
    no variance.
    """

    def walk(
        self,
        denoiser: Denoiser,
        image: Tensor,
        known: Tensor,
        diffusion: Diffusion,
        rng: Generators,
    ) -> Tensor:
        """Walk from noise to an image; see `Sampler`."""
        down = steps_down(diffusion)
        x, z = empty_pair(image)
        normal_(x, rng)  # line 1: x_T
        for start, end in moves(self.schedule):  # lines 2 and 3
            normal_(z, rng)  # lines 4 and 6
            if end > start:  # line 10: noise x again, all steps of the jump at once
                factor, sigma = jump(diffusion, start, end)
                x = x.mul_(factor).add_(z, alpha=sigma)
                continue
            step = down[start]
            x_0 = denoiser(x, start)
            x.mul_(step.from_x).add_(x_0, alpha=step.from_x_0).add_(z, alpha=step.noise)  # line 7
            noised = z.mul_(step.sigma).add_(image, alpha=step.signal)  # line 5
            x = torch.where(known, noised, x)  # line 8
        return x
