"""The inpainter: what every method is to the rest of the framework.

A method writes `predict` and, if it trains, `training_step` and `configure_optimizers`. The base
class erases before `predict` and composites after it, so that no method can look inside a hole,
fits images of any size to the network, and evaluates.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole
from inpainting.images.algebra import Fill, composite, erase
from inpainting.images.evaluated import Completed, Evaluated
from inpainting.losses import squared_error
from inpainting.methods.sizes import padded, through_windows
from inpainting.methods.training import TrainingHooks
from inpainting.rng import Generators, image_generators

Batch = dict[str, Tensor]

COMPLETING, LOSS = 0, 1  # evaluation's streams of chance


class Inpainter(TrainingHooks):
    """Fills holes.

    Args:
        channels: image channels
        fill: what erased pixels are replaced by: a number, a colour or "mean"
        fixed_size: the side of the only images the network is given. Larger and smaller ones
            are filled by a window around each hole, shrunk or enlarged to this side. None: the
            network takes any multiple of `size_multiple`; other sizes are padded.
        val_completions: validation completes the images with an index below this; None is all
        num_completions: completions of each image at validation and test
        completion_seed: of the chance that evaluation completes with; another one gives other
            completions of the same holes
        lr_schedule: see `TrainingHooks`

    Raises:
        InputError: an unknown fill, or a number that cannot be.
    """

    # Settings that weights are trained for: with others they load, and mean something else.
    bound_to_weights: tuple[str, ...] = ()
    trained = True  # False: there is nothing to fit
    stochastic = False  # True: evaluation hands it a generator for each image
    size_multiple = 1

    def __init__(
        self,
        *,
        channels: int,
        fill: Fill = 0.0,
        fixed_size: int | None = None,
        val_completions: int | None = None,
        num_completions: int = 1,
        completion_seed: int = 0,
        lr_schedule: Callable[[float], float] | None = None,
    ):
        super().__init__(lr_schedule)
        if isinstance(fill, str) and fill != "mean":
            raise InputError(f"model.fill={fill}: type a number, a colour as [r,g,b], or mean")
        check_whole("model.num_completions", num_completions, 1)
        check_whole("model.completion_seed", completion_seed, 0)
        if val_completions is not None:
            check_whole("model.val_completions", val_completions, 0)
        self.channels, self.fill, self.fixed_size = channels, fill, fixed_size
        self.val_completions, self.num_completions = val_completions, num_completions
        self.completion_seed = completion_seed

    @abstractmethod
    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Predict the whole image.

        Args:
            masked_image: (B, C, H, W) in [0, 1], erased where mask > 0
            mask: (B, 1, H, W) in [0, 1], 1 = hole
            attributes: (B, A), what the completion should show, where the method knows them
            generator: all chance comes from it, or each image's from its own; None is torch's

        Returns:
            (B, C, H, W) in [0, 1]
        """

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor | None:
        """The loss that validation reports as `val/loss`, for each image (B,).

        By default the mean squared error of the prediction; none of a `stochastic` method, of which
        one sample says little, and none where nothing is trained.

        Args:
            batch: of a size that the network takes
            prediction: `predict`'s of this batch (B, C, H, W); None of a `stochastic` method
            generator: one for each image, if the method is `stochastic`
        """
        if self.stochastic or not self.trained:
            return None
        return squared_error(prediction, batch["image"])

    def details(self) -> dict[str, Any]:
        """What `metrics.json` should say of how this method fills."""
        return {}

    @torch.no_grad()
    def complete(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
        num_completions: int = 1,
    ) -> Tensor:
        """Fill the holes of images of any size.

        Args:
            image: (B, C, H, W) in [0, 1]; what lies under the hole is never looked at
            mask: (B, 1, H, W) in [0, 1], 1 = hole; values between blend in proportion
            attributes: (B, A) or None
            generator: on the image's device; one for all, or one for each completion
            num_completions: k

        Returns:
            (B, k, C, H, W); equal to `image` wherever mask = 0
        """
        prediction = self.predict_any_size(image, mask, attributes, generator, num_completions)
        return composite(prediction, image.unsqueeze(1), mask.unsqueeze(1))

    def predict_any_size(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None,
        generator: Generators,
        num_completions: int,
    ) -> Tensor:
        """(B, k, C, H, W), not yet composited."""
        batch, channels, height, width = image.shape
        if channels != self.channels or mask.shape != (batch, 1, height, width):
            raise ValueError(
                f"image {tuple(image.shape)} and mask {tuple(mask.shape)}: this method takes "
                f"(B, {self.channels}, H, W) and (B, 1, H, W)"
            )
        predict = padded(self.predict, self.size_multiple)
        if not self.fits(height, width):
            predict = through_windows(predict, self.fixed_size, self.fill)
        inputs = [
            None if x is None else x.repeat_interleave(num_completions, 0)
            for x in (erase(image, mask, self.fill), mask, attributes)
        ]
        return predict(*inputs, generator).float().unflatten(0, (batch, num_completions))

    def fits(self, height: int, width: int) -> bool:
        """Whether the network is given images of this size as they are, but for padding."""
        return self.fixed_size is None or (height, width) == (self.fixed_size, self.fixed_size)

    def evaluate(self, batch: Batch, completions: int | None) -> Evaluated:
        """The loss of a batch and the completions of a part of it.

        Args:
            batch: as a data module gives it
            completions: complete the images with an index below this; None: all
        """
        # Evaluation has its own chance: it must not move training's, and must repeat.
        index, prediction = batch["index"], None
        keep = slice(None) if completions is None else index < completions
        if self.stochastic:  # its samples are dear, and its loss is not about one of them
            part = {name: value[keep] for name, value in batch.items()}
            completed = self._completed(part) if len(part["index"]) else None
        else:
            whole = self._completed(batch)
            prediction, completed = whole.prediction[:, 0], whole[keep]
        loss = None
        if self.fits(*batch["image"].shape[-2:]):  # else its objective says nothing of the images
            loss = self.evaluation_loss(batch, prediction, self._chance(index, LOSS))
        return Evaluated(
            index, loss, completed if completed is not None and len(completed) else None
        )

    def _completed(self, batch: Batch) -> Completed:
        image, mask, attributes = batch["image"], batch["mask"], batch.get("attributes")
        chance = self._chance(batch["index"], COMPLETING, self.num_completions)
        prediction = self.predict_any_size(image, mask, attributes, chance, self.num_completions)
        completion = composite(prediction, image.unsqueeze(1), mask.unsqueeze(1))
        return Completed(
            batch["index"], image, mask, prediction, completion, batch.get("label"), attributes
        )

    def _chance(self, index: Tensor, use: int, completions: int = 1) -> Generators:
        """Generators of these images; none for a method that draws nothing."""
        if not self.stochastic:
            return None
        key = (self.completion_seed, use)
        return image_generators(index, self.device, *key, completions=completions)

    def validation_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """See `evaluate`."""
        return self.evaluate(batch, self.val_completions)

    def test_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """See `evaluate`."""
        return self.evaluate(batch, None)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Complete a batch of any size: (B, k, C, H, W)."""
        return self.complete(
            batch["image"],
            batch["mask"],
            batch.get("attributes"),
            self._chance(batch["index"], COMPLETING, self.num_completions),
            self.num_completions,
        )
