"""Denoisers: from a noisy image x_t to an estimate of the clean one, x_0.

A guided denoiser is a denoiser too: guidance takes one and gives one, so that any guidance goes with any
walk.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from inpainting.diffusion.process import Diffusion

# x_t (B, C, H, W) and the network's times (B,) int64 to an output of the diffusion's objective
Network = Callable[[Tensor, Tensor], Tensor]

# x_t (B, C, H, W), which it leaves as it is, and the step t to an estimate of x_0 (B, C, H, W)
Denoiser = Callable[[Tensor, int], Tensor]


class Guidance(Protocol):
    """What lets the known pixels have a say in the estimate."""

    def __call__(
        self, denoiser: Denoiser, image: Tensor, known: Tensor, diffusion: Diffusion
    ) -> Denoiser:
        """The guided denoiser.

        Args:
            denoiser: estimates are not clipped
            image: (B, C, H, W) in [-1, 1]; only its known pixels may be looked at
            known: (B, 1, H, W) bool
            diffusion: the steps that t counts
        """


def as_denoiser(network: Network, diffusion: Diffusion, image: Tensor) -> Denoiser:
    """The denoiser that a network's output stands for, not clipped; for batches like `image`."""
    from_x, from_output = diffusion.x_0_from_x.tolist(), diffusion.x_0_from_output.tolist()
    times = diffusion.times.to(image.device)[:, None].repeat(1, len(image)).unbind()  # T of (B,)

    def denoise(x: Tensor, t: int) -> Tensor:
        output = network(x, times[t]).to(x.dtype)
        return (output * from_output[t]).add_(x, alpha=from_x[t])

    return denoise
