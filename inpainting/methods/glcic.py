"""GLCIC, globally and locally consistent image completion, in three phases (report 004).

Iizuka, Simo-Serra, Ishikawa 2017, "Globally and Locally Consistent Image Completion", ACM
Transactions on Graphics 36(4), section 3. The report runs the phases inside every epoch.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice
from inpainting.images.algebra import composite, erase
from inpainting.images.crops import crop, local_corners, local_size
from inpainting.losses import adversarial, squared_error
from inpainting.methods.base import Batch, Inpainter
from inpainting.nn.frozen import frozen
from inpainting.nn.glcic import CompletionNetwork, ContextDiscriminator
from inpainting.rng import Generators, default_generator
from inpainting.schedules import Phases
from inpainting.values import Count, Natural, Share, Weight

COMPLETION, DISCRIMINATOR, JOINT = 0, 1, 2


class GLCIC(Inpainter):
    """A completion network, trained alone and then against a discriminator of image and local crop.

    The three phases, where C is the completion network, D the discriminator, x the image, m the
    mask and c the image that D sees as fake:

    - completion: C minimises MSE(C(x, m), x)
    - discriminator: D minimises BCE(D(x), 1) + BCE(D(c), 0)
    - joint: D minimises the same loss as in the discriminator phase, and C minimises
      mse_weight * MSE + adversarial_weight * BCE(D(c), 1)

    Departures from the paper: the discriminator judges real and fake images in one batch, so that
    both share their batch statistics; the real local crop is cut at the fake crop's corners (as
    in the report); and the weights of the joint loss are configurable (1 and 0.0004 in the paper).

    Args:
        image_size: side of the training images, in pixels
        width: channels of the first layers (64 in the paper and in the report)
        mask_channel: pass the mask to C as an additional channel. The report's C sees only a black
            patch; the mask shows it holes of any kind and distinguishes them from black objects
        dilations: see `CompletionNetwork`
        bottleneck_convs: see `CompletionNetwork`
        head: see `ContextDiscriminator`
        local_share: side of the local crop as a share of the image's side
        phases: shares of the completion, discriminator and joint phases; they sum to 1
        phase_schedule: "epoch" runs the phases in every epoch (report), "training" once over the
            whole training (paper)
        mse_region: where the MSE counts: "image" (report) or "hole" (paper)
        mse_weight: weight of the MSE in the joint loss
        adversarial_weight: weight of the adversarial term in the joint loss
        discriminator_input: "composite" (C's output pasted into the hole) or "raw" (C's whole
            output; report)
        phase_stop: for each phase, the value of its loss (MSE, D's, D's) below which the phase ends
            early; None never ends it early. The loss is read every `trainer.log_every_n_steps`
            batches. The remaining batches of a phase go to the next phase, those of the joint phase
            to the completion phase
        optimizer_completion: builds the optimiser of C in the completion phase
        optimizer_discriminator: builds the optimiser of D
        optimizer_joint: builds the optimiser of C in the joint phase; None continues with the
            optimiser of the completion phase
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: the phases do not sum to 1, `phase_stop` does not have three entries, or a
            choice is unknown.
    """

    size_multiple = CompletionNetwork.size_multiple
    bound_to_weights = ("width", "mask_channel", "dilations", "bottleneck_convs", "head")
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
        **options: Any,
    ):
        super().__init__(**options)
        self.automatic_optimization = False
        if len(phases) != 3 or min(phases) < 0 or abs(sum(phases) - 1) > 1e-6:
            raise InputError(f"model.phases={list(phases)}: type three shares that sum to 1")
        if len(phase_stop) != 3:
            raise InputError(f"model.phase_stop={list(phase_stop)}: type three numbers or nulls")
        for key, value, choices in (
            ("phase_schedule", phase_schedule, ("epoch", "training")),
            ("mse_region", mse_region, ("image", "hole")),
            ("discriminator_input", discriminator_input, ("composite", "raw")),
        ):
            check_choice(f"model.{key}", value, choices)
        self.mask_channel = mask_channel
        self.local_size = local_size(image_size, image_size, local_share)
        self.phases, self.phase_stop = Phases(phases), phase_stop
        self.phases_in_epoch = phase_schedule == "epoch"
        self.mse_region, self.discriminator_input = mse_region, discriminator_input
        self.mse_weight, self.adversarial_weight = mse_weight, adversarial_weight
        self.make_optimizers = (optimizer_completion, optimizer_discriminator, optimizer_joint)
        self.phase = COMPLETION
        self.generator = CompletionNetwork(
            self.channels + mask_channel, self.channels, width, dilations, bottleneck_convs
        )
        self.discriminator = ContextDiscriminator(
            self.channels, image_size, self.local_size[0], width, head
        )

    def forward(self, masked_image: Tensor, mask: Tensor) -> Tensor:
        """Return the completion network's output for masked images: (B, C, H, W) in [0, 1]."""
        return self.generator(
            torch.cat([masked_image, mask], 1) if self.mask_channel else masked_image
        )

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the completion network's output, (B, C, H, W); it is deterministic."""
        return self(masked_image, mask)

    def reconstruction(self, prediction: Tensor, batch: Batch) -> Tensor:
        """Compute the MSE of each image, over the image or the hole; (B,)."""
        region = batch["mask"] if self.mse_region == "hole" else None
        return squared_error(prediction, batch["image"], region)

    def evaluation_loss(self, batch: Batch, prediction: Tensor, generator: Generators) -> Tensor:
        """Compute the MSE of the completion phase, (B,)."""
        return self.reconstruction(prediction, batch)

    def judge(self, image: Tensor, fake: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's logits for the real and the fake images, (B,) each."""
        corners = local_corners(mask, self.local_size, default_generator(mask.device))
        both = torch.cat([image, fake])
        local = crop(both, corners.repeat(2, 1), self.local_size)
        real_logits, fake_logits = self.discriminator(both, local).chunk(2)
        return real_logits, fake_logits

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
            self.scalars.add(loss_completion=loss)
            return
        with torch.set_grad_enabled(self.phase == JOINT):
            prediction = self(masked_image, batch["mask"])
            fake = self.fake(prediction, batch)
        self._discriminator_step(discriminator, batch, fake.detach())
        if self.phase == JOINT:
            self._joint_step(joint, batch, prediction, fake)

    def _discriminator_step(self, optimizer: Optimizer, batch: Batch, fake: Tensor) -> None:
        real_logits, fake_logits = self.judge(batch["image"], fake, batch["mask"])
        loss = (adversarial(real_logits, True) + adversarial(fake_logits, False)) / 2
        self.optimise(optimizer, loss)
        self.scalars.add(loss_d=loss)

    def _joint_step(
        self, optimizer: Optimizer, batch: Batch, prediction: Tensor, fake: Tensor
    ) -> None:
        mse = self.reconstruction(prediction, batch).mean()
        with frozen(self.discriminator):
            _, fake_logits = self.judge(batch["image"], fake, batch["mask"])
            fooling = adversarial(fake_logits, True)
            loss = self.mse_weight * mse + self.adversarial_weight * fooling
            self.optimise(optimizer, loss)
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
