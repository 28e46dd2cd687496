"""CVAEGAN: a conditional autoencoder, then fine-tuned against a discriminator (report 001).

The encoder reads the masked image, the decoder a sample of the latent and the attributes that the
image should show. Departures from the report's code: a sample deviates by exp(logvar / 2) and not
exp(logvar) / 2; the discriminator's rate, norm and augmentation (arXiv 2006.10738) keep it from
saturating; predictions join the known pixels without a seam; and averaged weights complete.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice
from inpainting.images.algebra import composite, erase
from inpainting.images.membrane import membrane
from inpainting.losses import cross_entropy, prior_divergence
from inpainting.methods.adversary import Adversary, DeathWatch, noting_gradient
from inpainting.methods.base import Batch, Inpainter
from inpainting.nn.average import Average
from inpainting.nn.cvae_gan import ConditionalVAE
from inpainting.nn.frozen import frozen
from inpainting.rng import Generators, normal_
from inpainting.schedules import FINE_TUNING, PRETRAINING, WARM_UP, Stages
from inpainting.values import Share, Weight


class CVAEGAN(Inpainter):
    """Encodes the masked image and decodes a whole one that shows the attributes.

    With R the cross-entropy of the prediction summed over the pixels, and K = sum(mean² + variance
    - 1 - log variance) of the latent, the stages of a training are:

    - pre-training: the autoencoder minimises R + prior_weight * K
    - warm-up: the discriminator learns to tell images from predictions; the autoencoder rests
    - fine-tuning: the discriminator as before; the autoencoder minimises reconstruction_weight * R
      + prior_weight * K + what `Adversary` tells it

    Args:
        network: the autoencoder
        adversary: the discriminator, and what it tells the autoencoder
        stages: of the training
        reconstruction_weight: weight of R in fine-tuning
        prior_weight: weight of K; K / 2 is the Kullback-Leibler divergence
        hole_weight: additional weight of the hole's pixels in R
        temperature: factor of the sampled deviation; 0 completes with the mean of the latent
        seamless: add to the prediction in the hole the smooth continuation of its error at the
            known pixels
        ema_decay: decay of the moving average of the weights that complete, in [0, 1)
        discriminator_input: "raw" (the prediction) or "composite" (pasted into the hole)
        optimizer: builds the autoencoder's optimiser of pre-training
        optimizer_discriminator: builds the discriminator's optimiser
        optimizer_fine_tuning: builds the autoencoder's optimiser of fine-tuning
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: a choice is unknown or a number is out of range.
    """

    stochastic = True
    bound_to_weights = ("network", "adversary.network", "attributes")
    only_trains = ("adversary",)
    optimizer_names = ("pretraining", "discriminator", "fine_tuning")

    def __init__(
        self,
        *,
        network: ConditionalVAE,
        adversary: Adversary,
        stages: Stages,
        reconstruction_weight: Weight,
        prior_weight: Weight,
        hole_weight: Weight,
        temperature: Weight,
        seamless: bool,
        ema_decay: Share,
        discriminator_input: Literal["raw", "composite"],
        optimizer: Callable[[Any], Optimizer],
        optimizer_discriminator: Callable[[Any], Optimizer],
        optimizer_fine_tuning: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        self.automatic_optimization = False
        if temperature < 0:
            raise InputError(f"model.temperature={temperature}: type 0 or more")
        check_choice("model.discriminator_input", discriminator_input, ("raw", "composite"))
        self.network = network
        self.keep_average("network", ema_decay)
        self.adversary, self.stages = adversary, stages
        self.reconstruction_weight, self.prior_weight = reconstruction_weight, prior_weight
        self.hole_weight, self.discriminator_input = hole_weight, discriminator_input
        self.temperature, self.seamless = temperature, seamless
        self.death_watch = DeathWatch()
        self.make_optimizers = (optimizer, optimizer_discriminator, optimizer_fine_tuning)

    def sampled(
        self,
        network: ConditionalVAE | Average,
        masked_image: Tensor,
        attributes: Tensor | None,
        generator: Generators,
        temperature: Weight = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode a sample of each latent; return its logits, and the latent's mean and logvar."""
        mean, logvar = network.encode(masked_image)
        noise = temperature * normal_(torch.empty_like(mean), generator)
        return network.decode(network.sample(mean, logvar, noise), attributes), mean, logvar

    def joined(self, prediction: Tensor, masked_image: Tensor, mask: Tensor) -> Tensor:
        """Let the prediction (B, C, H, W) join the known pixels smoothly, if configured."""
        if not self.seamless:
            return prediction
        # A gradient through the offset would double the time of a training step.
        offset = membrane(masked_image - prediction.detach(), mask)
        return torch.where(mask > 0, (prediction + offset).clamp(0, 1), prediction)

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return images (B, C, H, W) that the averaged network decodes from sampled latents."""
        logits, _, _ = self.sampled(
            self.average.network, masked_image, attributes, generator, self.temperature
        )
        return self.joined(logits.sigmoid(), masked_image, mask)

    def reconstruction(self, logits: Tensor, batch: Batch) -> Tensor:
        """Compute R of each image, (B,)."""
        weight = 1 + self.hole_weight * batch["mask"] if self.hole_weight else None
        return cross_entropy(logits, batch["image"], weight)

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor:
        """Compute the objective of pre-training with the averaged network, (B,)."""
        masked_image = erase(batch["image"], batch["mask"], self.fill)
        wanted = self.attributes.wanted(batch)
        logits, *latent = self.sampled(self.average.network, masked_image, wanted, generator)
        return self.reconstruction(logits, batch) + self.prior_weight * prior_divergence(*latent)

    @property
    def _position(self) -> tuple[int, int, int]:
        """The current batch, the batches of an epoch, and the epochs of the training."""
        return self.batches_seen, self.trainer.num_training_batches, self.trainer.max_epochs

    @property
    def stage(self) -> str:
        """Name of the present stage; the warm-up belongs to fine-tuning."""
        at = self.stages.at(*self._position)
        return "pretraining" if at == PRETRAINING else "fine_tuning"

    @property
    def progress(self) -> float:
        """Share of the present stage that is done; a learning rate schedule starts anew in each."""
        return self.stages.progress(*self._position)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on one batch, in the stage that its position in the training is in."""
        pretraining, discriminating, fine_tuning = self.optimizers()
        stage = self.stages.begin(*self._position)
        masked_image = erase(batch["image"], batch["mask"], self.fill)
        with torch.set_grad_enabled(stage != WARM_UP):
            wanted = self.attributes.wanted(batch)
            logits, *latent = self.sampled(self.network, masked_image, wanted, None)
        reconstruction = self.reconstruction(self._noting("reconstruction", logits), batch).mean()
        prior = prior_divergence(*latent).mean()
        self.scalars.add(reconstruction=reconstruction, prior=prior)
        if stage == PRETRAINING:
            self.optimise(pretraining, reconstruction + self.prior_weight * prior)
        else:
            fake = self.fake(self._noting("discriminator", logits).sigmoid(), masked_image, batch)
            steps = self.adversary.objectives(batch["image"], fake.detach(), self.batches_seen)
            for objective, scalars in steps:
                self.optimise(discriminating, objective)
                self.scalars.add(**scalars)
            if stage == FINE_TUNING:
                loss = self.reconstruction_weight * reconstruction + self.prior_weight * prior
                with frozen(self.adversary):
                    criticism, scalars = self.adversary.criticism(batch["image"], fake)
                    self.optimise(fine_tuning, loss + criticism)
                self.scalars.add(**scalars)
        if stage != WARM_UP:
            self.update_average()

    def fake(self, prediction: Tensor, masked_image: Tensor, batch: Batch) -> Tensor:
        """Return what the discriminator sees as fake, (B, C, H, W)."""
        if self.discriminator_input == "raw":
            return prediction
        joined = self.joined(prediction, masked_image, batch["mask"])
        return composite(joined, batch["image"], batch["mask"])

    def _noting(self, name: str, logits: Tensor) -> Tensor:
        """Return the logits; log the norm of each image's gradient that arrives at them."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)  # of float16

        def note(norm: Tensor) -> None:
            if scaler:  # which leaves out a step whose gradients are too large for float16
                norm = torch.where(norm.isfinite(), norm, 0) / scaler.scale(torch.ones_like(norm))
            self.scalars.add(**{f"gradient_{name}": norm})

        return noting_gradient(logits, note)

    def on_scalars_read(self, values: dict[str, float]) -> None:
        """Say so if the discriminator has taught nothing for an epoch."""
        self.death_watch.note(values, self.batches_seen, self.trainer.num_training_batches)

    def on_train_start(self) -> None:
        """Train no further if pre-training was all, and had ended before a resume."""
        super().on_train_start()
        self.trainer.should_stop |= self.stages.pretrain == 1 and self.stages.ended is not None

    def on_validation_end(self) -> None:
        """End pre-training early if the validation loss no longer falls."""
        position, *size = self._position
        loss = self.trainer.callback_metrics.get("val/loss")
        if self.trainer.sanity_checking or loss is None:
            return
        if self.stages.at(position, *size) == PRETRAINING:
            ended = self.stages.note(float(loss), position + 1)
            self.trainer.should_stop |= ended and self.stages.pretrain == 1

    def configure_optimizers(self) -> list[Optimizer]:
        """Build the optimisers of pre-training, of the discriminator and of fine-tuning."""
        networks = (self.network, self.adversary, self.network)
        pairs = zip(self.make_optimizers, networks, strict=True)
        return [make(network.parameters()) for make, network in pairs]

    def compile_networks(self) -> None:
        """Compile the parts of the networks that are called."""
        for network in (self.network, self.average.network):
            network.encoder.compile()
            network.decoder.compile()
        for block in self.adversary.network.blocks:
            block.compile()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save whether pre-training ended early, and what its early end depends on."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["stages"] = self.stages.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the stages."""
        if "stages" in checkpoint:
            self.stages.load_state_dict(checkpoint["stages"])
