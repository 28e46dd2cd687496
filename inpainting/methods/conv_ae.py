"""ConvAE: a convolutional autoencoder that reconstructs masked images (report 002).

The objective is the reconstruction error of f(masked image) against the target, over the image or
the hole, optionally with a frequency term. Departure from the report's code: the target is the
clean image. The authors' code compares with the masked image, which teaches the network to draw
the hole.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice
from inpainting.images.algebra import erase
from inpainting.losses import absolute_error, focal_frequency, squared_error
from inpainting.methods.base import Batch, Inpainter
from inpainting.rng import Generators
from inpainting.values import Share, Weight

# Chosen by name: Hydra checks a function made with `_partial_` at every call, which takes 0.1 ms.
LOSSES = {"squared_error": squared_error, "absolute_error": absolute_error}


class ConvAE(Inpainter):
    """An autoencoder that receives the masked image and is not told where the hole is.

    Args:
        network: maps (B, C, fixed_size, fixed_size) to the same shape, in [0, 1]
        loss: reconstruction error of each image, a name in `LOSSES`
        frequency_weight: weight of an additional focal frequency loss; 0 leaves that loss out
        region: where the error counts: "image" (as in the report) or "hole"
        target: "clean" for the image, or "erased" for the masked image as in the report's code
        ema_decay: decay of the moving average of the weights that completes, in [0, 1); 0 completes
            with the present weights
        optimizer: builds the optimiser of the network's parameters
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: a choice is unknown, or the frequency weight is negative.
    """

    bound_to_weights = ("network",)

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: str,
        frequency_weight: Weight,
        region: str,
        target: str,
        ema_decay: Share = 0.0,  # a key that the configurations of older runs lack
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        for key, value, choices in (
            ("loss", loss, LOSSES),
            ("region", region, ("image", "hole")),
            ("target", target, ("clean", "erased")),
        ):
            check_choice(f"model.{key}", value, tuple(choices))
        if frequency_weight < 0:
            raise InputError(f"model.frequency_weight={frequency_weight}: type 0 or more")
        self.network, self.loss = network, LOSSES[loss]
        self.frequency_weight, self.region, self.target = frequency_weight, region, target
        self.make_optimizer = optimizer
        if ema_decay:
            self.keep_average("network", ema_decay)

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return the network's output, (B, C, H, W); it is deterministic."""
        return (self.average or self.network)(masked_image)

    def reconstruction(self, batch: Batch, prediction: Tensor) -> Tensor:
        """Compute the objective of each image, (B,)."""
        image, mask = batch["image"], batch["mask"]
        target = erase(image, mask, self.fill) if self.target == "erased" else image
        weight = mask if self.region == "hole" else None
        loss = self.loss(prediction, target, weight)
        if self.frequency_weight:
            loss = loss + self.frequency_weight * focal_frequency(prediction, target, weight)
        return loss

    def evaluation_loss(self, batch: Batch, prediction: Tensor, generator: Generators) -> Tensor:
        """Compute the objective of each image, (B,)."""
        return self.reconstruction(batch, prediction)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean objective of one batch."""
        prediction = self.network(erase(batch["image"], batch["mask"], self.fill))
        loss = self.reconstruction(batch, prediction).mean()
        self.scalars.add(loss=loss)
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Build the optimiser."""
        return self.make_optimizer(self.network.parameters())
