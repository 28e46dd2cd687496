"""dVAE: a discrete autoencoder that TokenBERT and TokenGPT can take as their tokenizer.

It learns to reconstruct whole images (arXiv 2102.12092, section 2.1): tokens are drawn by
Gumbel-softmax with a falling temperature, and the objective is the reconstruction's loss plus the
divergence of the tokens from the uniform distribution. By itself it fills no hole: it paints what
it reads in the masked image. Departure: the absolute error by default, a logit-Laplace likelihood
on demand.
"""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice
from inpainting.losses import absolute_error
from inpainting.methods.base import Batch, Inpainter
from inpainting.rng import Generators
from inpainting.tokens.dvae import DiscreteAutoencoder, logit_laplace, squeezed, uniform_divergence
from inpainting.values import Positive, Weight


class DVAE(Inpainter):
    """Reconstructs images from drawn tokens.

    Args:
        network: the autoencoder
        reconstruction: "absolute_error", averaged over the pixels, or "logit_laplace", summed
        divergence_weight: weight of the divergence from the uniform distribution
        first_temperature: of the Gumbel-softmax at the start of the training
        last_temperature: at its end; it falls exponentially
        optimizer: builds the optimiser of the network's parameters
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: a choice is unknown, or a number is out of range.
    """

    fills_holes = False
    bound_to_weights = ("network", "reconstruction")

    def __init__(
        self,
        *,
        network: DiscreteAutoencoder,
        reconstruction: Literal["absolute_error", "logit_laplace"],
        divergence_weight: Weight,
        first_temperature: Positive,
        last_temperature: Positive,
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        check_choice("model.reconstruction", reconstruction, ("absolute_error", "logit_laplace"))
        if not 0 < last_temperature <= first_temperature or divergence_weight < 0:
            raise InputError(
                f"model.first_temperature={first_temperature} model.last_temperature="
                f"{last_temperature} model.divergence_weight={divergence_weight}: type "
                "temperatures above 0 that fall, and a weight of 0 or more"
            )
        self.network, self.size_multiple = network, network.stride
        self.reconstruction, self.divergence_weight = reconstruction, divergence_weight
        self.first, self.last = first_temperature, last_temperature
        self.make_optimizer = optimizer

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return what the tokens of the masked image decode to, (B, C, H, W); deterministic."""
        return self.network(masked_image)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean objective of one batch; the mask is not used."""
        image = batch["image"]
        temperature = self.first * (self.last / self.first) ** self.progress
        logits = self.network.logits(image)
        means, scales = self.network.painted(self.network.relaxed(logits, temperature, None))
        if self.reconstruction == "logit_laplace":
            error = logit_laplace(squeezed(means), scales, image).mean()
        else:
            error = absolute_error(means.sigmoid(), image).mean()
        divergence = uniform_divergence(logits).mean()
        loss = error + self.divergence_weight * divergence
        self.scalars.add(loss=loss, reconstruction=error, divergence=divergence)
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Build the optimiser."""
        return self.make_optimizer(self.network.parameters())
