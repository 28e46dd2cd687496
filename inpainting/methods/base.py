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

from inpainting.errors import InputError
from inpainting.image import (
    Fill,
    composite,
    erase,
    hole_windows,
    pad_to_multiple,
    resize,
    unpad,
)
from inpainting.methods.scalars import TrainingScalars

Batch = dict[str, Tensor]

WINDOWS_AT_ONCE = 64  # bounds the memory that a large picture with many holes takes


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
        lr_schedule: factor of all learning rates, from the progress of the training; None leaves
            them as they are

    Raises:
        InputError: an unknown fill.
    """

    trained = True  # False: there is nothing to fit
    size_multiple = 1

    def __init__(
        self,
        *,
        channels: int,
        fill: Fill = 0.0,
        fixed_size: int | None = None,
        val_completions: int | None = None,
        num_completions: int = 1,
        lr_schedule: Callable[[float], float] | None = None,
    ):
        super().__init__()
        if isinstance(fill, str) and fill != "mean":
            raise InputError(f"model.fill={fill}: type a number, a colour as [r,g,b], or mean")
        self.channels, self.fill, self.fixed_size = channels, fill, fixed_size
        self.val_completions, self.num_completions = val_completions, num_completions
        self.lr_schedule = lr_schedule
        self.scalars = TrainingScalars()

    @abstractmethod
    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Predict the whole picture.

        Args:
            masked_image: (B, C, H, W) in [0, 1], erased where mask > 0
            mask: (B, 1, H, W) in [0, 1], 1 = hole
            attributes: (B, A), what the completion should show, where the method knows them
            generator: all chance comes from it; None is torch's own

        Returns:
            (B, C, H, W) in [0, 1]
        """

    def evaluation_loss(self, batch: Batch, generator: torch.Generator) -> Tensor | None:
        """The loss that validation reports, for each picture (B,); None where there is none."""
        return None

    @torch.no_grad()
    def complete(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: torch.Generator | None = None,
        num_completions: int = 1,
    ) -> Tensor:
        """Fill the holes of pictures of any size.

        Args:
            image: (B, C, H, W) in [0, 1]; what lies under the hole is never looked at
            mask: (B, 1, H, W) in [0, 1], 1 = hole; values between blend in proportion
            attributes: (B, A) or None
            generator: on the image's device
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
        generator: torch.Generator | None,
        num_completions: int,
    ) -> Tensor:
        """(B, k, C, H, W), not yet composited."""
        batch, channels, height, width = image.shape
        if channels != self.channels or mask.shape != (batch, 1, height, width):
            raise ValueError(
                f"image {tuple(image.shape)} and mask {tuple(mask.shape)}: this method takes "
                f"(B, {self.channels}, H, W) and (B, 1, H, W)"
            )
        masked_image = erase(image, mask, self.fill)
        if self.fixed_size is None or (height, width) == (self.fixed_size, self.fixed_size):
            inputs = [
                None if x is None else x.repeat_interleave(num_completions, 0)
                for x in (masked_image, mask, attributes)
            ]
            prediction = self._predict_padded(*inputs, generator)
        else:
            prediction = torch.cat(
                [
                    self._predict_windows(
                        masked_image[i : i + 1],
                        mask[i : i + 1],
                        None if attributes is None else attributes[i : i + 1],
                        generator,
                        num_completions,
                    )
                    for i in range(batch)
                ]
            )
        return prediction.float().unflatten(0, (batch, num_completions))

    def _predict_padded(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        height, width = mask.shape[-2:]
        masked_image = pad_to_multiple(masked_image, self.size_multiple)
        mask = pad_to_multiple(mask, self.size_multiple)
        return unpad(self.predict(masked_image, mask, attributes, generator), height, width)

    def _predict_windows(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None,
        generator: torch.Generator | None,
        num_completions: int,
    ) -> Tensor:
        """One picture (1, C, H, W), through a window of `fixed_size` around each hole."""
        side = self.fixed_size
        prediction = masked_image.repeat_interleave(num_completions, 0)
        windows = hole_windows(mask[0], side)
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            part = windows[start : start + WINDOWS_AT_ONCE]
            images, masks = [], []
            for (top, left, height, width), _ in part:
                window = (..., slice(top, top + height), slice(left, left + width))
                images.append(resize(masked_image[window], side, side))
                small = resize(mask[window], side, side)
                # Shrinking spreads the erased pixels: whatever they touch is hole.
                masks.append(small if (height, width) == (side, side) else (small > 0).float())
            small_mask = torch.cat(masks)
            small_image = erase(torch.cat(images), small_mask, self.fill)
            inputs = [x.repeat_interleave(num_completions, 0) for x in (small_image, small_mask)]
            wanted = None if attributes is None else attributes.expand(len(inputs[0]), -1)
            filled = self._predict_padded(*inputs, wanted, generator).float()
            for ((top, left, height, width), members), one in zip(
                part, filled.split(num_completions), strict=True
            ):
                window = (..., slice(top, top + height), slice(left, left + width))
                large = resize(one, height, width)
                prediction[window] = torch.where(members[window], large, prediction[window])
        return prediction

    def _evaluate(self, batch: Batch, completions: int | None) -> dict[str, Any]:
        """What callbacks measure and draw; the loss on everything, completions on a subset.

        Returns:
            "index" (B,), "loss" (B,) or None, and of the completed subset "completed": a batch
            with "prediction" and "completion" (B', k, C, H, W) beside its image, mask and index
        """
        # Evaluation has its own chance: it must not move training's, and must repeat.
        generator = torch.Generator(self.device).manual_seed(int(batch["index"][0]))
        size = batch["image"].shape[-2:]
        loss = None  # on pictures of another size than the network's there is none
        if self.fixed_size is None or size == (self.fixed_size, self.fixed_size):
            loss = self.evaluation_loss(batch, generator)
        if completions is not None:
            keep = batch["index"] < completions
            part = {name: value[keep] for name, value in batch.items()}
        else:
            part = dict(batch)
        if len(part["index"]):
            prediction = self._predict_any_size(
                part["image"], part["mask"], part.get("attributes"), generator, self.num_completions
            )
            part["prediction"] = prediction
            part["completion"] = composite(
                prediction, part["image"].unsqueeze(1), part["mask"].unsqueeze(1)
            )
        return {"index": batch["index"], "loss": loss, "completed": part}

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
            torch.Generator(self.device).manual_seed(int(batch["index"][0])),
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
