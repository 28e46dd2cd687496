"""Lightning's steps of validation, test and prediction, the same for every method.

The interface of a method in `inpainting.methods.base` can be understood without this file.
"""

from collections.abc import Callable
from functools import partial

import torch
from lightning import LightningModule
from torch import Tensor

from inpainting.images.algebra import composite
from inpainting.images.evaluated import Completed, Evaluated
from inpainting.rng import Generators, image_generators

Batch = dict[str, Tensor]

# The two uses of random numbers in evaluation, which have separate seeds.
DRAW_COMPLETION, DRAW_LOSS = 0, 1


class EvaluationSteps(LightningModule):
    """Completes the images of a batch and computes their loss, as `Inpainter` configures it."""

    # A method that samples for long calls it with the share of a sampling that is done.
    on_network_call: Callable[[float], None] | None = None

    def evaluate(self, batch: Batch, completions: int | None) -> Evaluated:
        """Compute the loss of a batch and complete part of its images.

        Args:
            batch: as a data module yields it
            completions: complete only the images whose index is below this number; None completes
                all of them
        """
        index, prediction = batch["index"], None
        keep = slice(None) if completions is None else index < completions
        if self.stochastic:  # sampling is expensive, and the loss needs no sample
            part = {name: value[keep] for name, value in batch.items()}
            completed = self._completed(part) if len(part["index"]) else None
        else:
            whole = self._completed(batch)
            prediction, completed = whole.prediction[:, 0], whole[keep]
        loss = None
        if self.fits(*batch["image"].shape[-2:]):  # the objective is defined for these sizes only
            loss = self.evaluation_loss(batch, prediction, self._generators(index, DRAW_LOSS))
        return Evaluated(
            index, loss, completed if completed is not None and len(completed) else None
        )

    def _completed(self, batch: Batch) -> Completed:
        image, mask, wanted = batch["image"], batch["mask"], self.attributes.wanted(batch)
        prediction = self._predicted(batch, wanted, self.num_completions)
        # Each way draws the same noise, so that ways of one image differ by the attribute alone.
        ways = [
            self._pasted(self._predicted(batch, way, 1), image, mask)[:, 0]
            for way in self.attributes.each_way(wanted)
        ]
        return Completed(
            index=batch["index"],
            image=image,
            mask=mask,
            prediction=prediction,
            completion=self._pasted(prediction, image, mask),
            label=batch.get("label"),
            attributes=batch.get("attributes"),
            numbers=partial(self.numbers, batch),
            ways=torch.stack(ways, 1).unflatten(1, (-1, 2)) if ways else None,
        )

    def numbers(self, batch: Batch) -> dict[str, Tensor]:
        """Measure what completions do not show, such as an accuracy of tokens; (B,) by name.

        It is called after the batch was completed. A metric states the numbers as its columns.
        """
        return {}

    def _pasted(self, prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
        """Paste predictions (B, k, C, H, W) into the hole, unless whole images are edited."""
        if self.edits:
            return prediction
        return composite(prediction, image.unsqueeze(1), mask.unsqueeze(1))

    def _predicted(self, batch: Batch, attributes: Tensor | None, completions: int) -> Tensor:
        generators = self._generators(batch["index"], DRAW_COMPLETION, completions)
        return self.predict_any_size(
            batch["image"], batch["mask"], attributes, generators, completions
        )

    def _generators(self, index: Tensor, use: int, completions: int = 1) -> Generators:
        """Return one generator per completion of these images, or None for a deterministic method.

        Evaluation draws from these generators and not from torch's own, so that it can be repeated
        and does not change the random numbers of the training.
        """
        if not self.stochastic:
            return None
        key = (self.completion_seed, use)
        return image_generators(index, self.device, *key, completions=completions)

    def validation_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Evaluate one batch of validation; see `evaluate`."""
        return self.evaluate(batch, self.val_completions)

    def test_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Evaluate one batch of the test and complete all its images; see `evaluate`."""
        return self.evaluate(batch, None)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Complete or edit a batch of images of any size; (B, k, C, H, W)."""
        if self.edits:
            generators = self._generators(batch["index"], DRAW_COMPLETION)
            return self.edit(batch["image"], self.attributes.wanted(batch), generators)[:, None]
        return self.complete(
            batch["image"],
            batch["mask"],
            self.attributes.wanted(batch),
            self._generators(batch["index"], DRAW_COMPLETION, self.num_completions),
            self.num_completions,
        )
