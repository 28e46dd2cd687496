"""The base class of samplers: the number of steps, the schedule of jumps and the cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inpainting.diffusion.denoiser import Denoiser, Guidance, Network, as_denoiser
from inpainting.diffusion.guidance.none import Unguided
from inpainting.diffusion.jumps import jump_schedule, network_calls
from inpainting.diffusion.process import Diffusion
from inpainting.errors import InputError, check_whole
from inpainting.rng import Generators
from inpainting.values import Count


@dataclass(frozen=True)
class Sampler(ABC):
    """Fills holes by walking from noise to an image with a network that never learnt to inpaint.

    The repr of a sampler contains all its settings and is recorded with the numbers of a test.

    Args:
        steps: how many of the diffusion's steps the walk takes
        jump_length: steps per jump back up
        jump_n_sample: how often each stretch is walked; 1 never jumps
        guidance: how the known pixels steer the network's estimates

    Raises:
        InputError: a number is out of range, or a jump is as long as the walk.
    """

    steps: Count
    jump_length: Count
    jump_n_sample: Count
    guidance: Guidance = field(default_factory=Unguided, kw_only=True)

    def __post_init__(self) -> None:
        check_whole("model.sampler.steps", self.steps, 1)
        length = self.jump_length
        check_whole("model.sampler.jump_length", length, 1)
        check_whole("model.sampler.jump_n_sample", self.jump_n_sample, 1)
        if self.jump_n_sample > 1 and self.steps > 1 and length >= self.steps:
            raise InputError(
                f"model.sampler.jump_length={length} of {self.steps} steps never jumps: type a "
                "smaller length, or model.sampler.jump_n_sample=1 to sample without jumps"
            )

    @property
    def schedule(self) -> list[int]:
        """The times that the walk visits; see `jump_schedule`."""
        return jump_schedule(self.steps, self.jump_length, self.jump_n_sample)

    @property
    def network_calls(self) -> int:
        """Number of network calls that filling a batch takes."""
        return network_calls(self.schedule)

    @torch.no_grad()
    def __call__(
        self,
        network: Network,
        image: Tensor,
        mask: Tensor,
        diffusion: Diffusion,
        rng: Generators = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Fill holes.

        Args:
            network: called with x_t, of which it must not keep a reference, and times (B,)
            image: (B, C, H, W) in [-1, 1]; the values inside the hole are never used
            mask: (B, 1, H, W) in [0, 1], 1 = hole; every pixel with mask > 0 is filled
            diffusion: the process, respaced to this sampler's steps
            rng: on the image's device; one generator for all images, or one for each
            watch: called with each guided estimate of x_0 (B, C, H, W), which it must not change

        Returns:
            (B, C, H, W); the known pixels equal the image's exactly
        """
        known = known_pixels(mask)
        denoiser = self.guidance(as_denoiser(network, diffusion, image), image, known, diffusion)
        if watch is not None:
            denoiser = _watched(denoiser, watch)
        return self.walk(denoiser, image, known, diffusion, rng)

    @abstractmethod
    def walk(
        self,
        denoiser: Denoiser,
        image: Tensor,
        known: Tensor,
        diffusion: Diffusion,
        rng: Generators,
    ) -> Tensor:
        """Walk from noise to an image.

        Args:
            denoiser: estimates x_0 from x_t, already guided
            image: (B, C, H, W) in [-1, 1]
            known: (B, 1, H, W) bool, False in the hole
            diffusion: the process, respaced to this sampler's steps
            rng: see `__call__`

        Returns:
            (B, C, H, W); the known pixels equal the image's exactly
        """


def _watched(denoiser: Denoiser, watch: Callable[[Tensor], None]) -> Denoiser:
    def denoise(x: Tensor, t: int) -> Tensor:
        x_0 = denoiser(x, t)
        watch(x_0)
        return x_0

    return denoise


def known_pixels(mask: Tensor) -> Tensor:
    """Return the known pixels of a mask, (B, 1, H, W) bool.

    The only place in `diffusion` that inverts the mask: RePaint's formulas have 1 = known. Pixels
    of a soft mask (0 < mask < 1) are erased too, so only mask = 0 is known.
    """
    return mask == 0


def empty_pair(image: Tensor) -> tuple[Tensor, Tensor]:
    """Allocate x_t and the noise of a step, (B, C, H, W) float32 each."""
    return torch.empty(2, *image.shape, dtype=torch.float32, device=image.device).unbind()
