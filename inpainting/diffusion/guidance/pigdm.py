"""PiGDM: pseudoinverse-guided diffusion (Song, Vahdat, Mardani, Kautz, ICLR 2023)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from inpainting.diffusion.denoiser import Denoiser
from inpainting.diffusion.process import Diffusion
from inpainting.errors import InputError


@dataclass(frozen=True)
class PiGDM:
    """The estimate, moved to where the known pixels pull it through the network.

    The pull is (d x_0 / d x_t)^T of what x_0 misses of the known pixels: eq. 7, with a mask for H
    and no noise on the known pixels. It lets them decide early what the hole shows; replacing known
    pixels alone tells the hole of them only through what the network sees. A call of the network
    then takes three to six times as long.

    Args:
        weight: how far the estimate goes along the pull; 1 is the paper's
        clip: hold the network's estimate inside [-1, 1] before it is moved

    Raises:
        InputError: a weight that is not above 0.
    """

    weight: float = 1.0
    clip: bool = True

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise InputError(
                f"model.sampler.guidance.weight={self.weight}: type a number above 0, or "
                "model/sampler/guidance=none"
            )

    def __call__(
        self, denoiser: Denoiser, image: Tensor, known: Tensor, diffusion: Diffusion
    ) -> Denoiser:
        """See `Guidance`."""
        weights = (self.weight * diffusion.signal).tolist()

        def guided(x: Tensor, t: int) -> Tensor:
            # Evaluation's inference mode keeps no graph.
            with torch.inference_mode(False), torch.enable_grad():
                x = x.clone().requires_grad_()
                x_0 = denoiser(x, t)
                missed = torch.where(known, image - x_0.detach(), 0.0)
                (pull,) = torch.autograd.grad(x_0, x, missed)
            x_0 = x_0.detach()
            return (x_0.clamp_(-1, 1) if self.clip else x_0).add_(pull, alpha=weights[t])

        return guided
