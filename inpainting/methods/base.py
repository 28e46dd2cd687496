"""The inpainter: what every method is to the rest of the framework.

A method writes `predict` and, if it trains, `training_step` and `configure_optimizers`. The base
class erases before `predict` and composites after it, so that no method can look inside a hole,
fits pictures of any size to the network, and evaluates.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from inpainting.chance import Chance, picture_generators
from inpainting.errors import InputError, check_whole
from inpainting.image import Fill, composite, erase
from inpainting.methods.scalars import TrainingScalars
from inpainting.methods.sizes import padded, through_windows

Batch = dict[str, Tensor]

COMPLETING, LOSS = 0, 1  # evaluation's streams of chance


class Inpainter(LightningModule):
    """Fills holes.

    Args:
        channels: image channels
        fill: what erased pixels are replaced by: a number, a colour or "mean"
        fixed_size: the side of the only pictures the network is given. Larger and smaller ones
            are filled by a window around each hole, shrunk or enlarged to this side. None: the
            network takes any multiple of `size_multiple`; other sizes are padded.
        val_completions: validation completes the pictures with an index below this; None is all
        num_completions: completions of each picture at validation and test
        completion_seed: of the chance that evaluation completes with; another one gives other
            completions of the same holes
        lr_schedule: factor of all learning rates, from the progress of the training; None leaves
            them as they are

    Raises:
        InputError: an unknown fill, or a number that cannot be.
    """

    # Settings that weights are trained for: with others they load, and mean something else.
    bound_to_weights: tuple[str, ...] = ()
    trained = True  # False: there is nothing to fit
    stochastic = False  # True: evaluation hands it a generator for each picture
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
        super().__init__()
        if isinstance(fill, str) and fill != "mean":
            raise InputError(f"model.fill={fill}: type a number, a colour as [r,g,b], or mean")
        check_whole("model.num_completions", num_completions, 1)
        check_whole("model.completion_seed", completion_seed, 0)
        if val_completions is not None:
            check_whole("model.val_completions", val_completions, 0)
        self.channels, self.fill, self.fixed_size = channels, fill, fixed_size
        self.val_completions, self.num_completions = val_completions, num_completions
        self.completion_seed, self.lr_schedule = completion_seed, lr_schedule
        self.scalars = TrainingScalars()

    @abstractmethod
    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Chance = None,
    ) -> Tensor:
        """Predict the whole picture.

        Args:
            masked_image: (B, C, H, W) in [0, 1], erased where mask > 0
            mask: (B, 1, H, W) in [0, 1], 1 = hole
            attributes: (B, A), what the completion should show, where the method knows them
            generator: all chance comes from it, or each picture's from its own; None is torch's

        Returns:
            (B, C, H, W) in [0, 1]
        """

    def evaluation_loss(
        self, batch: Batch, generator: Chance, prediction: Tensor | None
    ) -> Tensor | None:
        """The loss that validation reports, for each picture (B,); None where there is none.

        Args:
            batch: of a size that the network takes
            generator: one for each picture, if the method is `stochastic`
            prediction: `predict`'s of this batch (B, C, H, W), where all of it was completed
        """
        return None

    def facts(self) -> dict[str, Any]:
        """What `metrics.json` should say of how this method fills."""
        return {}

    @torch.no_grad()
    def complete(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Chance = None,
        num_completions: int = 1,
    ) -> Tensor:
        """Fill the holes of pictures of any size.

        Args:
            image: (B, C, H, W) in [0, 1]; what lies under the hole is never looked at
            mask: (B, 1, H, W) in [0, 1], 1 = hole; values between blend in proportion
            attributes: (B, A) or None
            generator: on the image's device; one for all, or one for each completion
            num_completions: k

        Returns:
            (B, k, C, H, W); equal to `image` wherever mask = 0
        """
        prediction = self._predict_any_size(image, mask, attributes, generator, num_completions)
        return composite(prediction, image.unsqueeze(1), mask.unsqueeze(1))

    def _predict_any_size(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None,
        generator: Chance,
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
        if not self.takes(height, width):
            predict = through_windows(predict, self.fixed_size, self.fill)
        inputs = [
            None if x is None else x.repeat_interleave(num_completions, 0)
            for x in (erase(image, mask, self.fill), mask, attributes)
        ]
        return predict(*inputs, generator).float().unflatten(0, (batch, num_completions))

    def takes(self, height: int, width: int) -> bool:
        """Whether the network is given pictures of this size as they are, but for padding."""
        return self.fixed_size is None or (height, width) == (self.fixed_size, self.fixed_size)

    def _evaluate(self, batch: Batch, completions: int | None) -> dict[str, Any]:
        """What callbacks measure and draw; the loss on everything, completions on a subset.

        Returns:
            "index" (B,), "loss" (B,) or None, and of the completed subset "completed": a batch
            with "prediction" and "completion" (B', k, C, H, W) beside its image, mask and index
        """
        # Evaluation has its own chance: it must not move training's, and must repeat.
        index = batch["index"]
        part = batch
        if completions is not None:
            keep = index < completions
            part = {name: value[keep] for name, value in batch.items()}
        prediction = None
        if len(part["index"]):
            chance = self._chance(part["index"], COMPLETING, self.num_completions)
            prediction = self._predict_any_size(
                part["image"], part["mask"], part.get("attributes"), chance, self.num_completions
            )
            completion = composite(
                prediction, part["image"].unsqueeze(1), part["mask"].unsqueeze(1)
            )
            part = part | {"prediction": prediction, "completion": completion}
        loss = None  # on pictures of another size than the network's there is none
        if self.takes(*batch["image"].shape[-2:]):
            whole = prediction is not None and len(prediction) == len(index)
            loss = self.evaluation_loss(
                batch, self._chance(index, LOSS), prediction[:, 0] if whole else None
            )
        return {"index": index, "loss": loss, "completed": part}

    def _chance(self, index: Tensor, use: int, completions: int = 1) -> Chance:
        """Generators of these pictures; none for a method that draws nothing."""
        if not self.stochastic:
            return None
        key = (self.completion_seed, use)
        return picture_generators(index, self.device, *key, completions=completions)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """See `_evaluate`."""
        return self._evaluate(batch, self.val_completions)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """See `_evaluate`."""
        return self._evaluate(batch, None)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Complete a batch of any size: (B, k, C, H, W)."""
        return self.complete(
            batch["image"],
            batch["mask"],
            batch.get("attributes"),
            self._chance(batch["index"], COMPLETING, self.num_completions),
            self.num_completions,
        )

    def compile_networks(self) -> None:
        """Compile in place; parameter names stay, so checkpoints fit uncompiled runs as well."""
        for network in self.children():
            network.compile()

    @property
    def batches_seen(self) -> int:
        """Training batches before the present one, over all epochs; survives a resume.

        Not `global_step`, which counts optimiser steps: two in a joint phase.
        """
        return self.trainer.fit_loop.epoch_loop.total_batch_idx

    @property
    def progress(self) -> float:
        """Share of the training that is done, for schedules."""
        total = self.trainer.num_training_batches * (self.trainer.max_epochs or 0)
        return min(1.0, self.batches_seen / total) if total > 0 else 0.0

    def on_validation_start(self) -> None:
        """Give all processes the first one's batch norm statistics, which are what is saved."""
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def on_fit_start(self) -> None:
        """Note the optimisers' settings as they were configured."""
        self._settings = [
            [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
            for optimizer in self.trainer.optimizers
        ]

    def on_train_start(self) -> None:
        """Let them win over those of the checkpoint, so that a resume can change a rate."""
        for optimizer, settings in zip(self.trainer.optimizers, self._settings, strict=True):
            for group, configured in zip(optimizer.param_groups, settings, strict=True):
                group.update(configured)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the rates of this batch."""
        if self.lr_schedule is None:
            return
        factor = self.lr_schedule(self.progress)
        for optimizer, settings in zip(self.trainer.optimizers, self._settings, strict=True):
            for group, configured in zip(optimizer.param_groups, settings, strict=True):
                group["lr"] = factor * configured["lr"]

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Read and log the scalars every `trainer.log_every_n_steps` batches."""
        if (self.batches_seen + 1) % self.trainer.log_every_n_steps == 0:
            self._read_scalars()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Nothing is saved after a loss that was not finite."""
        self._read_scalars()

    def _read_scalars(self) -> None:
        values = self.scalars.read(self.trainer.strategy.reduce)
        if values:
            self.scalars_read(values)
            logged = {f"train/{name}": value for name, value in values.items()}
            logged["epoch"] = self.trainer.current_epoch
            for logger in self.trainer.loggers:
                logger.log_metrics(logged, step=self.batches_seen)

    def scalars_read(self, values: dict[str, float]) -> None:
        """Called with the means since the last reading, equal on all processes."""
