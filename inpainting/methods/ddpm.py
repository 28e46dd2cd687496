"""DDPM filled with RePaint: a diffusion model that never learnt to inpaint (report 003).

The objective is the squared error of the network's output against what `Diffusion.target` says of
one noising of the clean image (arXiv 2006.11239, eq. 14). Departures from the report's code: one
noising a step, not two; no noising before a prediction; trained and sampled on one schedule; the
average that follows the weights slowly is what samples.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import Optimizer

from inpainting.diffusion.medoid import medoid
from inpainting.diffusion.process import Diffusion
from inpainting.diffusion.walk import Sampler
from inpainting.errors import InputError, check_whole
from inpainting.losses import squared_error
from inpainting.methods.base import Batch, Inpainter
from inpainting.nn.average import Average, decay_after
from inpainting.nn.folded import Folded
from inpainting.rng import Generators, normal_, random_times

SECONDS_BETWEEN_LINES = 60  # of a long sampling's progress

_say = rank_zero_only(print)


class DDPM(Inpainter):
    """Learns to denoise whole images; fills by sampling under the known pixels.

    Args:
        network: x_t (B, C, H, W) in about [-1, 1] and times (B,) to (B, C, H, W); states its
            `size_multiple`
        betas: (T,) float64, see `inpainting.diffusion.betas`
        objective: what the network puts out: "eps", "v" or "x_0"
        ema_decay: of the average of the weights that samples, in [0, 1); 0 takes the present ones
        sampler: fills holes with the averaged network
        candidates: samples of each completion, of which the medoid is kept; 1 keeps the sample
        optimizer: of the network's parameters
        options: see `Inpainter`

    Raises:
        InputError: an unknown choice, or numbers that do not go together.
    """

    stochastic = True
    bound_to_weights = ("network", "betas", "objective")

    def __init__(
        self,
        *,
        network: nn.Module,
        betas: Tensor,
        objective: str,
        ema_decay: float,
        sampler: Sampler,
        candidates: int,
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        if not 0 <= ema_decay < 1:
            raise InputError(f"model.ema_decay={ema_decay}: type a number from 0 up to below 1")
        check_whole("model.candidates", candidates, 1)
        self.network, self.average = network, Average(network)
        self.folded = Folded(self.average)
        self.size_multiple, self.ema_decay = network.size_multiple, ema_decay
        self.diffusion = Diffusion(betas, objective)
        self.sampler, self.candidates = sampler, candidates
        self.respaced = self.diffusion.respace(sampler.steps)
        self.make_optimizer = optimizer

    @property
    def network_calls(self) -> int:
        """Calls of the network for one filling."""
        return self.sampler.network_calls * self.candidates

    def details(self) -> dict[str, Any]:
        """The sampler and what it costs."""
        return {
            "sampler": str(self.sampler),
            "candidates": self.candidates,
            "network_calls": self.network_calls,
            "num_completions": self.num_completions,
        }

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """(B, C, H, W) to the same shape; known pixels are the image's."""
        image = masked_image.float() * 2 - 1
        device = image.device
        self.respaced = self.respaced.to(device)
        autocast = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if autocast else torch.float32
        network = WithProgress(self.folded.at(dtype, device), self.network_calls)
        with torch.autocast(device.type, enabled=False):
            inputs = (network, image, mask, self.respaced, generator)
            # One after the other: each image's generators go on from sample to sample.
            x = medoid(torch.stack([self.sampler(*inputs) for _ in range(self.candidates)]))
        return ((x + 1) / 2).clamp(0, 1)

    def compile_networks(self) -> None:
        """See `Inpainter`; what samples is compiled when it is made."""
        super().compile_networks()
        self.folded.compiled = True

    def denoising_error(
        self, network: Callable[[Tensor, Tensor], Tensor], image: Tensor, chance: Generators
    ) -> Tensor:
        """The objective on one noising of each image, (B,)."""
        x_0 = image * 2 - 1
        diffusion = self.diffusion = self.diffusion.to(image.device)
        t = random_times(diffusion.timesteps, len(x_0), x_0.device, chance)
        eps = normal_(torch.empty(x_0.shape, device=x_0.device), chance)
        output = network(diffusion.q_sample(x_0, t, eps), t)
        return squared_error(output, diffusion.target(x_0, t, eps))

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor:
        """The objective of the averaged network, one noising of each image."""
        return self.denoising_error(self.average, batch["image"], generator)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch; the hole plays no part."""
        loss = self.denoising_error(self.network, batch["image"], None).mean()
        self.scalars.add(loss=loss)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Let the average follow; with accumulated gradients, as often as the network moves."""
        super().optimizer_step(*args, **kwargs)
        self.average.update(self.network, decay_after(self.batches_seen, self.ema_decay))

    def on_test_start(self) -> None:
        """Say what a filling costs, before it starts."""
        _say(
            f"{self.network_calls:,} network calls a batch of images or windows, "
            f"{self.num_completions} completion(s) an image: {self.sampler}"
        )

    on_predict_start = on_test_start

    def configure_optimizers(self) -> Optimizer:
        """The one optimiser."""
        return self.make_optimizer(self.network.parameters())


class WithProgress:
    """A network that prints how far a long sampling is."""

    def __init__(self, network: nn.Module, calls: int):
        self.network, self.calls, self.done = network, calls, 0
        self.said = time.monotonic()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The network's answer."""
        if time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            _say(f"  {self.done:,} of {self.calls:,} network calls")
        self.done += 1
        return self.network(x, t)
