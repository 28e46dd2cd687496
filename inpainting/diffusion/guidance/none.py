"""No guidance: the network's own estimate."""

from dataclasses import dataclass

from torch import Tensor

from inpainting.diffusion.denoiser import Denoiser
from inpainting.diffusion.process import Diffusion


@dataclass(frozen=True)
class Unguided:
    """The estimate as it is.

    Args:
        clip: hold it inside [-1, 1], as the authors of RePaint do
    """

    clip: bool = True

    def __call__(
        self, denoiser: Denoiser, image: Tensor, known: Tensor, diffusion: Diffusion
    ) -> Denoiser:
        """See `Guidance`."""

        def clipped(x: Tensor, t: int) -> Tensor:
            return denoiser(x, t).clamp_(-1, 1)

        return clipped if self.clip else denoiser
