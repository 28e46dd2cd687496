"""What all samplers have: a number of steps, a schedule of jumps, and what a filling costs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inpainting.diffusion.denoiser import Guidance, Network
from inpainting.diffusion.guidance.none import Unguided
from inpainting.diffusion.jumps import jump_schedule, network_calls
from inpainting.diffusion.process import Diffusion
from inpainting.errors import InputError, check_whole
from inpainting.rng import Generators


@dataclass(frozen=True)
class Sampler(ABC):
    """Fills holes by walking from noise to an image with a network that never learnt to inpaint.

    Its repr is the whole of it, and stands beside the numbers of a test.

    Args:
        steps: of the process's steps, as many as are walked
        jump_length: steps of one jump back up
        jump_n_sample: how often each stretch is walked; 1 never jumps
        guidance: how the known pixels steer the network's estimates

    Raises:
        InputError: a number that cannot be, or a jump that is as long as the walk.
    """

    steps: int
    jump_length: int
    jump_n_sample: int
    guidance: Guidance = field(default_factory=Unguided, kw_only=True)

    def __post_init__(self) -> None:
        check_whole("model.sampler.steps", self.steps, 1)
        length = self.jump_length
        check_whole("model.sampler.jump_length", length, 1)
        check_whole("model.sampler.jump_n_sample", self.jump_n_sample, 1)
        if self.jump_n_sample > 1 and self.steps > 1 and length >= self.steps:
            raise InputError(
                f"model.sampler.jump_length={length} of {self.steps} steps never jumps: type less, "
                "or model.sampler.jump_n_sample=1 to do without jumps"
            )

    @property
    def schedule(self) -> list[int]:
        """The steps that are visited, see `jump_schedule`."""
        return jump_schedule(self.steps, self.jump_length, self.jump_n_sample)

    @property
    def network_calls(self) -> int:
        """Calls of the network for one filling of a batch."""
        return network_calls(self.schedule)

    @abstractmethod
    def __call__(
        self,
        network: Network,
        image: Tensor,
        mask: Tensor,
        diffusion: Diffusion,
        rng: Generators = None,
    ) -> Tensor:
        """Fill holes.

        Args:
            network: called with x_t, which it must not keep, and (B,) times
            image: (B, C, H, W) in [-1, 1]; what lies under the hole is never looked at
            mask: (B, 1, H, W) in [0, 1], 1 = hole; all of mask > 0 is filled
            diffusion: respaced to this sampler's steps
            rng: on the image's device; one for all images, or one for each

        Returns:
            (B, C, H, W); known pixels are the image's, exactly
        """


def known_pixels(mask: Tensor) -> Tensor:
    """(B, 1, H, W) bool: 1 - mask, as a yes or no.

    The only place that flips the mask: RePaint's formulas, and its code, have 1 = known. A soft
    pixel (0 < mask < 1) was erased as well, so only mask = 0 is known.
    """
    return mask == 0


def empty_pair(image: Tensor) -> tuple[Tensor, Tensor]:
    """Memory for x_t and for the noise of a step, (B, C, H, W) float32 each."""
    return torch.empty(2, *image.shape, dtype=torch.float32, device=image.device).unbind()
