"""DDPM with RePaint: inpainting by a diffusion model that was not trained for it (report 003).

The objective is the squared error between the network's output and `Diffusion.target` for one
noising of the clean image (arXiv 2006.11239, eq. 14). Departures from the report's code: one
noising per step instead of two; no noising before a prediction; the same schedule for training and
sampling; sampling with an exponential moving average of the weights.
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
from inpainting.nn.folded import Folded
from inpainting.rng import Generators, normal_, random_times
from inpainting.values import Count, Share

SECONDS_BETWEEN_LINES = 60  # between two lines of progress during a long sampling

_say = rank_zero_only(print)


class DDPM(Inpainter):
    """Learns to denoise whole images; fills holes by sampling given the known pixels.

    Args:
        network: maps x_t (B, C, H, W), roughly in [-1, 1], and times (B,) to (B, C, H, W); has an
            attribute `size_multiple`
        betas: (T,) float64, see `inpainting.diffusion.betas`
        objective: what the network outputs: "eps", "v" or "x_0"
        ema_decay: decay of the moving average of the weights, which is used for sampling, in
            [0, 1); 0 uses the current weights
        sampler: fills holes with the averaged network
        candidates: samples drawn for each completion, of which the medoid is kept; 1 keeps the
            only sample
        optimizer: builds the optimiser of the network's parameters
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: a choice is unknown, a number is out of range, or the sampler has more steps
            than there are betas.
    """

    stochastic = True
    bound_to_weights = ("network", "betas", "objective")

    def __init__(
        self,
        *,
        network: nn.Module,
        betas: Tensor,
        objective: str,
        ema_decay: Share,
        sampler: Sampler,
        candidates: Count,
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        check_whole("model.candidates", candidates, 1)
        if candidates == 2:
            raise InputError(
                "model.candidates=2: of two samples neither is nearer to the other; type 1, or 3 "
                "or more"
            )
        self.network = network
        self.keep_average("network", ema_decay)
        self.folded = Folded(self.average)
        self.size_multiple = network.size_multiple
        self.diffusion = Diffusion(betas, objective)
        self.sampler, self.candidates = sampler, candidates
        self.respaced = self.diffusion.respace(sampler.steps)
        self.make_optimizer = optimizer

    @property
    def network_calls(self) -> int:
        """Number of network calls that filling a batch takes."""
        return self.sampler.network_calls * self.candidates

    def details(self) -> dict[str, Any]:
        """Return the sampler's settings and its cost."""
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
        """Sample images (B, C, H, W) whose known pixels are the masked image's."""
        image = masked_image.float() * 2 - 1
        device = image.device
        self.respaced = self.respaced.to(device)
        autocast = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if autocast else torch.float32
        network, watch = self.folded.at(dtype, device), None
        if self.watch is None:
            network = WithProgress(network, self.network_calls, self.on_network_call)
        else:
            watch = self._show
        with torch.autocast(device.type, enabled=False):
            inputs = (network, image, mask, self.respaced, generator, watch)
            # Drawn one after another: each image's generator continues from sample to sample.
            x = medoid(torch.stack([self.sampler(*inputs) for _ in range(self.candidates)]))
        return ((x + 1) / 2).clamp(0, 1)

    def _show(self, x_0: Tensor) -> None:
        """Tell whoever watches of one network call."""
        self.watch(((x_0.float() + 1) / 2).clamp(0, 1), self.network_calls)

    def compile_networks(self) -> None:
        """Compile the networks; the network that samples is compiled when it is folded."""
        super().compile_networks()
        self.folded.compiled = True

    def denoising_error(
        self, network: Callable[[Tensor, Tensor], Tensor], image: Tensor, generator: Generators
    ) -> Tensor:
        """Compute the objective on one noising of each image, (B,)."""
        x_0 = image * 2 - 1
        diffusion = self.diffusion = self.diffusion.to(image.device)
        t = random_times(diffusion.timesteps, len(x_0), x_0.device, generator)
        eps = normal_(torch.empty(x_0.shape, device=x_0.device), generator)
        output = network(diffusion.q_sample(x_0, t, eps), t)
        return squared_error(output, diffusion.target(x_0, t, eps))

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor:
        """Compute the objective of the averaged network on one noising of each image, (B,)."""
        return self.denoising_error(self.average, batch["image"], generator)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean objective of one batch; the mask is not used."""
        loss = self.denoising_error(self.network, batch["image"], None).mean()
        self.scalars.add(loss=loss)
        return loss

    def on_test_start(self) -> None:
        """Print the cost of sampling before it starts."""
        _say(
            f"{self.network_calls:,} network calls per batch of images or windows, "
            f"{self.num_completions} completion(s) per image: {self.sampler}"
        )

    on_predict_start = on_test_start

    def configure_optimizers(self) -> Optimizer:
        """Build the optimiser."""
        return self.make_optimizer(self.network.parameters())


class WithProgress:
    """Wraps a network, tells the display of each call, and prints the progress of a long sampling.

    Args:
        network: to wrap
        calls: number of calls of the whole sampling
        note: gets the share of the calls that are done, in (0, 1]; None tells nobody
    """

    def __init__(self, network: nn.Module, calls: int, note: Callable[[float], None] | None):
        self.network, self.calls, self.done, self.note = network, calls, 0, note
        self.said = time.monotonic()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the network's output."""
        if time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            _say(f"  {self.done:,} of {self.calls:,} network calls")
        self.done += 1
        if self.note is not None:
            self.note(self.done / self.calls)
        return self.network(x, t)
