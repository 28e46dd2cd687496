"""Denoisers: functions from a noisy image x_t to an estimate of the clean image x_0.

A guided denoiser is a denoiser too: guidance takes a denoiser and returns one, so that any guidance
can be combined with any sampler.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from inpainting.diffusion.process import Diffusion

# Maps x_t (B, C, H, W) and the network's times (B,) int64 to the output that the objective defines.
Network = Callable[[Tensor, Tensor], Tensor]

# Maps x_t (B, C, H, W), without changing it, and the step t to an estimate of x_0 (B, C, H, W).
Denoiser = Callable[[Tensor, int], Tensor]


class Guidance(Protocol):
    """Steers a denoiser's estimate towards the known pixels."""

    def __call__(
        self, denoiser: Denoiser, image: Tensor, known: Tensor, diffusion: Diffusion
    ) -> Denoiser:
        """Return the guided denoiser.

        Args:
            denoiser: the denoiser to guide, whose estimates are not clipped
            image: (B, C, H, W) in [-1, 1]; only its known pixels may be used
            known: (B, 1, H, W) bool, True at the known pixels
            diffusion: the process whose steps t counts
        """


def as_denoiser(network: Network, diffusion: Diffusion, image: Tensor) -> Denoiser:
    """Return the denoiser that a network defines, unclipped and for batches like `image`."""
    from_x, from_output = diffusion.x_0_from_x.tolist(), diffusion.x_0_from_output.tolist()
    times = diffusion.times.to(image.device)[:, None].repeat(1, len(image)).unbind()  # T of (B,)

    def denoise(x: Tensor, t: int) -> Tensor:
        output = network(x, times[t]).to(x.dtype)
        return (output * from_output[t]).add_(x, alpha=from_x[t])

    return denoise
