"""No guidance: the network's estimate is used as it is."""

from dataclasses import dataclass

from torch import Tensor

from inpainting.diffusion.denoiser import Denoiser
from inpainting.diffusion.process import Diffusion


@dataclass(frozen=True)
class Unguided:
    """Leaves the network's estimate as it is, except for clipping.

    Args:
        clip: clip the estimate to [-1, 1], as the authors of RePaint do
    """

    clip: bool = True

    def __call__(
        self, denoiser: Denoiser, image: Tensor, known: Tensor, diffusion: Diffusion
    ) -> Denoiser:
        """Return the denoiser, clipped if `clip` is True; see `Guidance`."""

        def clipped(x: Tensor, t: int) -> Tensor:
            return denoiser(x, t).clamp_(-1, 1)

        return clipped if self.clip else denoiser
