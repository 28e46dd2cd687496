"""DDPM filled with RePaint: a diffusion model that never learnt to inpaint (report 003).

The objective is the squared error of the network's output against what `Diffusion.target` says of
one noising of the clean picture (arXiv 2006.11239, eq. 14). Departures from the report's code: one
noising a step, not two; no noising before a prediction; trained and sampled on one schedule; the
average that follows the weights slowly is what samples.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import Optimizer

from inpainting.chance import Chance, integers, normal_
from inpainting.diffusion import Diffusion
from inpainting.errors import InputError, check_whole
from inpainting.losses import squared_error
from inpainting.medoid import medoid
from inpainting.methods.base import Batch, Inpainter
from inpainting.nn.average import Average, decay_after
from inpainting.nn.fused import fused
from inpainting.repaint import (
    jump_schedule,
    network_calls,
    repaint,
    repaint_fast,
    steps_down,
)

# sampling_steps, jump_length, jump_n_sample and guidance that are taken where the yaml says null
SAMPLERS = {
    "repaint": (250, 10, 10, 0.0),  # arXiv 2201.09865, section 5.2
    "repaint_fast": (25, 1, 1, 1.0),
    "replace": (250, 1, 1, 0.0),
}
SECONDS_BETWEEN_LINES = 60  # of a long sampling's progress

_say = rank_zero_only(print)


class DDPM(Inpainter):
    """Learns to denoise whole pictures; fills by sampling under the known pixels.

    Args:
        network: x_t (B, C, H, W) in about [-1, 1] and times (B,) to (B, C, H, W); states its
            `size_multiple`
        betas: (T,) float64, see `inpainting.diffusion`
        objective: what the network puts out: "eps", "v" or "x_0"
        ema_decay: of the average of the weights that samples, in [0, 1); 0 takes the present ones
        sampler: "repaint" (arXiv 2201.09865), "repaint_fast" (DDNM with time travel) or "replace"
            (RePaint without resampling)
        sampling_steps: of the T, as many as are walked; None, here and below, is the sampler's own
        jump_length: steps of one jump back
        jump_n_sample: how often each stretch is walked
        eta: share of fresh noise of repaint_fast, see `repaint.steps_down`
        guidance: how far the known pixels pull the hole through repaint_fast's network, see
            `repaint.repaint_fast`; 0 leaves it out, None is the sampler's own
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
        sampler: str,
        sampling_steps: int | None,
        jump_length: int | None,
        jump_n_sample: int | None,
        eta: float | None,
        guidance: float | None = None,  # this and the next: runs from before there was a choice
        candidates: int = 1,
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        if sampler not in SAMPLERS:
            raise InputError(f"model.sampler={sampler}: type {', '.join(SAMPLERS)}")
        if not 0 <= ema_decay < 1:
            raise InputError(f"model.ema_decay={ema_decay}: type a number from 0 up to below 1")
        check_whole("model.candidates", candidates, 1)
        self.network, self.average = network, Average(network)
        self.size_multiple, self.ema_decay = network.size_multiple, ema_decay
        self.diffusion = Diffusion(betas, objective)
        steps, length, repeats, own_guidance = SAMPLERS[sampler]
        guidance = own_guidance if guidance is None else guidance
        if guidance < 0 or (guidance and sampler != "repaint_fast"):
            raise InputError(
                f"model.guidance={guidance}: type 0, or more with model.sampler=repaint_fast"
            )
        steps = min(steps, self.diffusion.timesteps) if sampling_steps is None else sampling_steps
        self.respaced = self.diffusion.respace(steps)
        if sampler != "replace":  # which never jumps
            # Of a walk that is shorter than the sampler's own, so that it resamples nevertheless.
            length = min(length, max(1, steps // 4)) if jump_length is None else jump_length
            repeats = repeats if jump_n_sample is None else jump_n_sample
        self.schedule = jump_schedule(steps, length, repeats)
        if sampler != "replace" and steps > 1 and repeats > 1 and length >= steps:
            raise InputError(
                f"model.jump_length={length} of {steps} sampling steps never jumps: type less, or "
                "model.jump_n_sample=1 to do without"
            )
        self.jumps = (length, repeats)
        steps_down(self.respaced, eta)  # refuses a wrong eta before a training, not after it
        self.sampler, self.eta, self.guidance = sampler, eta, guidance
        self.candidates = candidates
        self.make_optimizer = optimizer
        self.compiled, self._sampling = False, None

    @property
    def network_calls(self) -> int:
        """Calls of the network for one filling."""
        return network_calls(self.schedule) * self.candidates

    def facts(self) -> dict[str, Any]:
        """The sampler and what it costs."""
        return {
            "sampler": self.sampler,
            "sampling_steps": self.respaced.timesteps,
            "jump_length": self.jumps[0],
            "jump_n_sample": self.jumps[1],
            "eta": self.eta if self.sampler == "repaint_fast" else None,
            "guidance": self.guidance,
            "candidates": self.candidates,
            "network_calls": self.network_calls,
            "num_completions": self.num_completions,
        }

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Chance = None,
    ) -> Tensor:
        """(B, C, H, W) to the same shape; known pixels are the picture's."""
        image = masked_image.float() * 2 - 1
        diffusion = self.respaced = self.respaced.to(image.device)
        fast = self.sampler == "repaint_fast"  # replace is repaint on a schedule without jumps
        sample = partial(repaint_fast, eta=self.eta, guidance=self.guidance) if fast else repaint
        denoiser = _Telling(self._sampling_network(image.device), self.network_calls)
        with torch.autocast(image.device.type, enabled=False):
            inputs = (denoiser, image, mask, diffusion, self.schedule, generator)
            # One after the other: each picture's generators go on from sample to sample.
            x = medoid(torch.stack([sample(*inputs) for _ in range(self.candidates)]))
        return ((x + 1) / 2).clamp(0, 1)

    def _sampling_network(self, device: torch.device) -> nn.Module:
        """The averaged network as it samples: at autocast's precision, batch norms folded in.

        It is made once and follows the average when that has changed.
        """
        autocast = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if autocast else torch.float32
        average = self.average.network
        version = sum(x._version for x in (*average.parameters(), *average.buffers()))
        with torch.inference_mode(False), torch.no_grad():  # tensors that can be changed again
            if self._sampling is None or self._sampling.kind != (dtype, device):
                network = fused(average).to(device, dtype)
                if self.compiled:
                    network.compile()
                self._sampling = _Sampling(network, (dtype, device), version)
            elif self._sampling.version != version:
                self._sampling.network.load_state_dict(fused(average).state_dict())
                self._sampling = self._sampling._replace(version=version)
        return self._sampling.network

    def compile_networks(self) -> None:
        """See `Inpainter`; what samples is compiled when it is made."""
        super().compile_networks()
        self.compiled = True

    def denoising_error(
        self, network: Callable[[Tensor, Tensor], Tensor], image: Tensor, chance: Chance
    ) -> Tensor:
        """The objective on one noising of each picture, (B,)."""
        x_0 = image * 2 - 1
        diffusion = self.diffusion = self.diffusion.to(image.device)
        t = integers(diffusion.timesteps, len(x_0), x_0.device, chance)
        eps = normal_(torch.empty(x_0.shape, device=x_0.device), chance)
        output = network(diffusion.q_sample(x_0, t, eps), t)
        return squared_error(output, diffusion.target(x_0, t, eps))

    def evaluation_loss(self, batch: Batch, generator: Chance, prediction: Tensor | None) -> Tensor:
        """The objective of the averaged network, one noising of each picture."""
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
            f"{self.sampler}: {self.network_calls:,} network calls a batch of pictures or windows "
            f"({self.respaced.timesteps} steps, {self.candidates} candidate(s), "
            f"{self.num_completions} completion(s) a picture)"
        )

    on_predict_start = on_test_start

    def configure_optimizers(self) -> Optimizer:
        """The one optimiser."""
        return self.make_optimizer(self.network.parameters())


class _Sampling(NamedTuple):
    """The network that samples; in a tuple, so that it is no part of the method's state."""

    network: nn.Module
    kind: tuple[torch.dtype, torch.device]
    version: int  # of the average that it was made from


class _Telling:
    """A denoiser that prints how far a long sampling is."""

    def __init__(self, network: nn.Module, calls: int):
        self.network, self.calls, self.done = network, calls, 0
        self.said = time.monotonic()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        if time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            _say(f"  {self.done:,} of {self.calls:,} network calls")
        self.done += 1
        return self.network(x, t)
