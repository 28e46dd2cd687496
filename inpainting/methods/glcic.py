"""GLCIC, globally and locally consistent image completion, in three phases (report 004).

Iizuka, Simo-Serra, Ishikawa 2017, "Globally and Locally Consistent Image Completion", ACM
Transactions on Graphics 36(4), section 3. The report runs the phases inside every epoch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice
from inpainting.images.algebra import composite, erase
from inpainting.images.crops import local_size
from inpainting.losses import squared_error
from inpainting.methods.base import Batch, Inpainter
from inpainting.methods.context_critic import ContextCritic
from inpainting.nn.frozen import frozen
from inpainting.nn.glcic import CompletionNetwork, ContextDiscriminator
from inpainting.rng import Generators
from inpainting.schedules import Phases
from inpainting.values import Count, Natural, Share, Weight

COMPLETION, DISCRIMINATOR, JOINT = 0, 1, 2

# The discriminator of the paper and the report
PLAIN = partial(ContextCritic, loss="logistic", penalty_weight=0.0, feature_weight=0.0, augment=())


class GLCIC(Inpainter):
    """A completion network, trained alone and then against a discriminator of image and local crop.

    The three phases, where C is the completion network, D the discriminator, x the image, m the
    mask and c the image that D sees as fake:

    - completion: C minimises MSE(C(x, m), x)
    - discriminator: D minimises BCE(D(x), 1) + BCE(D(c), 0)
    - joint: D minimises the same loss as in the discriminator phase, and C minimises
      mse_weight * MSE + adversarial_weight * BCE(D(c), 1)

    Departures from the paper: those of `ContextCritic`, and configurable weights of the joint loss.

    Args:
        image_size: side of the training images, in pixels
        width: channels of the first layers (64 in the paper and in the report)
        mask_channel: pass the mask to C as an additional channel, which shows it holes of any kind
            and distinguishes them from black objects; the report's C sees only a black patch
        dilations: see `CompletionNetwork`
        bottleneck_convs: see `CompletionNetwork`
        skips: see `CompletionNetwork`
        residual: see `CompletionNetwork`; C starts from what `fill` paints into the hole
        head: see `ContextDiscriminator`
        local_share: side of the local crop as a share of the image's side
        ema_decay: of the moving average of C's weights that completes, in [0, 1); 0 keeps none
        phases: shares of the completion, discriminator and joint phases; they sum to 1
        phase_schedule: "epoch" runs the phases in every epoch (report), "training" once over the
            whole training (paper)
        mse_region: where the MSE counts: "image" (report) or "hole" (paper)
        mse_weight: weight of the MSE in the joint loss
        adversarial_weight: weight of the adversarial term in the joint loss
        discriminator_input: "composite" (C's output pasted into the hole) or "raw" (C's whole
            output; report)
        adversary: builds the `ContextCritic` of the discriminator
        phase_stop: for each phase, the value of its loss (MSE, D's, D's) below which the phase ends
            early, and its batches go to the next one, those of the joint phase to the completion
            phase; None never ends it early. Read every `trainer.log_every_n_steps` batches
        optimizer_completion: builds the optimiser of C in the completion phase
        optimizer_discriminator: builds the optimiser of D
        optimizer_joint: builds the optimiser of C in the joint phase; None continues with that of
            the completion phase
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: the phases do not sum to 1, `phase_stop` does not have three entries, or a
            choice is unknown.
    """

    size_multiple = CompletionNetwork.size_multiple
    bound_to_weights = ("width", "mask_channel", "dilations", "bottleneck_convs", "head")
    bound_to_weights += ("skips", "residual")
    only_trains = ("discriminator",)
    optimizer_names = ("completion", "discriminator", "joint")

    def __init__(
        self,
        *,
        image_size: int,
        width: Count,
        mask_channel: bool,
        dilations: Sequence[Count],
        bottleneck_convs: Natural,
        head: str,
        local_share: Share,
        phases: Sequence[Share],
        phase_schedule: Literal["epoch", "training"],
        mse_region: Literal["image", "hole"],
        mse_weight: Weight,
        adversarial_weight: Weight,
        discriminator_input: Literal["composite", "raw"],
        phase_stop: Sequence[float | None],
        optimizer_completion: Callable[[Any], Optimizer],
        optimizer_discriminator: Callable[[Any], Optimizer],
        optimizer_joint: Callable[[Any], Optimizer] | None,
        skips: bool = False,  # from here on, keys that the configurations of older runs lack
        residual: bool = False,
        ema_decay: Share = 0.0,
        adversary: Callable[..., ContextCritic] = PLAIN,
        **options: Any,
    ):
        super().__init__(**options)
        self.automatic_optimization = False
        for key, values in (("phases", phases), ("phase_stop", phase_stop)):
            if len(values) != 3:
                raise InputError(f"model.{key}={list(values)}: type three values")
        for key, value, choices in (
            ("phase_schedule", phase_schedule, ("epoch", "training")),
            ("mse_region", mse_region, ("image", "hole")),
            ("discriminator_input", discriminator_input, ("composite", "raw")),
        ):
            check_choice(f"model.{key}", value, choices)
        self.phases, self.phase_stop = Phases(phases), phase_stop
        self.phases_in_epoch = phase_schedule == "epoch"
        self.mse_region, self.discriminator_input = mse_region, discriminator_input
        self.mse_weight, self.adversarial_weight = mse_weight, adversarial_weight
        self.make_optimizers = (optimizer_completion, optimizer_discriminator, optimizer_joint)
        self.phase, self.mask_channel = COMPLETION, mask_channel
        size = local_size(image_size, image_size, local_share)
        shape = (width, dilations, bottleneck_convs, skips, residual)
        self.generator = CompletionNetwork(self.channels + mask_channel, self.channels, *shape)
        self.discriminator = ContextDiscriminator(self.channels, image_size, size[0], width, head)
        self.critic = adversary(self.discriminator, size)
        if ema_decay:
            self.keep_average("generator", ema_decay)

    def forward(self, masked_image: Tensor, mask: Tensor, averaged: bool = False) -> Tensor:
        """Return the output of C, or of its average if it has one, for masked images."""
        network = self.average if averaged and self.average is not None else self.generator
        return network(torch.cat([masked_image, mask], 1) if self.mask_channel else masked_image)

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the completion network's output, (B, C, H, W); it is deterministic."""
        return self(masked_image, mask, averaged=True).clamp(0, 1)

    def reconstruction(self, prediction: Tensor, batch: Batch) -> Tensor:
        """Compute the MSE of each image, over the image or the hole; (B,)."""
        region = batch["mask"] if self.mse_region == "hole" else None
        return squared_error(prediction, batch["image"], region)

    def evaluation_loss(self, batch: Batch, prediction: Tensor, generator: Generators) -> Tensor:
        """Compute the MSE of the completion phase, (B,)."""
        return self.reconstruction(prediction, batch)

    def fake(self, prediction: Tensor, batch: Batch) -> Tensor:
        """Return the fake images that the discriminator sees of a prediction, (B, C, H, W)."""
        if self.discriminator_input == "raw":
            return prediction
        return composite(prediction, batch["image"], batch["mask"])

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on one batch, in the phase given by its position in the epoch or the training."""
        completion, discriminator, joint = self._optimizers()
        self.phase = self._phase(batch_idx)
        masked_image = erase(batch["image"], batch["mask"], self.fill)
        if self.phase == COMPLETION:
            loss = self.reconstruction(self(masked_image, batch["mask"]), batch).mean()
            self.optimise(completion, loss)
            self.update_average()
            self.scalars.add(loss_completion=loss)
            return
        with torch.set_grad_enabled(self.phase == JOINT):
            prediction = self(masked_image, batch["mask"])
            fake = self.fake(prediction, batch)
        self._discriminator_step(discriminator, batch, fake.detach(), batch_idx)
        if self.phase == JOINT:
            self._joint_step(joint, batch, prediction, fake)

    def _discriminator_step(
        self, optimizer: Optimizer, batch: Batch, fake: Tensor, step: int
    ) -> None:
        loss, scalars = self.critic.objective(batch["image"], fake, batch["mask"], step)
        self.optimise(optimizer, loss)
        self.scalars.add(**scalars)

    def _joint_step(
        self, optimizer: Optimizer, batch: Batch, prediction: Tensor, fake: Tensor
    ) -> None:
        mse = self.reconstruction(prediction, batch).mean()
        with frozen(self.discriminator):
            fooling, distance = self.critic.criticism(batch["image"], fake, batch["mask"])
            loss = self.mse_weight * mse + self.adversarial_weight * fooling + distance
            self.optimise(optimizer, loss)
        self.update_average()
        self.scalars.add(loss_g=loss, loss_g_mse=mse, loss_g_adversarial=fooling)

    def _phase(self, batch_idx: int) -> int:
        """Return the phase of this batch."""
        total = self.trainer.num_training_batches
        if not self.phases_in_epoch:
            return self.phases.at(self.batches_seen, total * self.trainer.max_epochs)
        if batch_idx == 0:
            self.phases.restart()
        return self.phases.at(batch_idx, total)

    def on_scalars_read(self, values: dict[str, float]) -> None:
        """End the current phase if its loss has fallen below `phase_stop`."""
        limit = self.phase_stop[self.phase]
        loss = values.get("loss_completion" if self.phase == COMPLETION else "loss_d")
        if limit is None or loss is None or loss >= limit:
            return
        position = self.batches_seen
        if self.phases_in_epoch:
            position %= self.trainer.num_training_batches
        self.phases.end(self.phase, position + 1)

    def _optimizers(self) -> tuple[Optimizer, Optimizer, Optimizer]:
        optimizers = self.optimizers()
        return optimizers[0], optimizers[1], optimizers[-1 if len(optimizers) == 3 else 0]

    def configure_optimizers(self) -> list[Optimizer]:
        """Build the completion, the discriminator and, if configured, the joint optimiser."""
        completion, discriminator, joint = self.make_optimizers
        optimizers = [
            completion(self.generator.parameters()),
            discriminator(self.discriminator.parameters()),
        ]
        if joint is not None:
            optimizers.append(joint(self.generator.parameters()))
        return optimizers

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save which phases ended early, for a schedule that spans the whole training."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["phases_stopped"] = list(self.phases.ended)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the phases that ended early; the current one follows from the batches seen."""
        self.phases.ended = list(checkpoint.get("phases_stopped", self.phases.ended))
