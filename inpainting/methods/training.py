"""What Lightning calls around the training steps of every method; a reader of the contract may skip it."""

from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from torch.optim import Optimizer

from inpainting.methods.scalars import TrainingScalars


class TrainingHooks(LightningModule):
    """Learning rates, optimiser settings after a resume, and scalars that are read now and then.

    Args:
        lr_schedule: factor of all learning rates, from the progress of the training in [0, 1]; None
            leaves them as they are
    """

    def __init__(self, lr_schedule: Callable[[float], float] | None):
        super().__init__()
        self.lr_schedule = lr_schedule
        self.scalars = TrainingScalars()

    @property
    def batches_seen(self) -> int:
        """Training batches before the present one, over all epochs; survives a resume.

        Not `global_step`, which counts optimiser steps: two in a joint phase of GLCIC.
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
        self._settings = [_settings_of(optimizer) for optimizer in self.trainer.optimizers]

    def on_train_start(self) -> None:
        """Reapply the configured settings over the checkpoint's, so a resume can change a rate."""
        for optimizer, settings in zip(self.trainer.optimizers, self._settings, strict=True):
            for group, configured in zip(optimizer.param_groups, settings, strict=True):
                group.update(configured)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rates of this batch."""
        if self.lr_schedule is None:
            return
        factor = self.lr_schedule(self.progress)
        for optimizer, settings in zip(self.trainer.optimizers, self._settings, strict=True):
            for group, configured in zip(optimizer.param_groups, settings, strict=True):
                group["lr"] = factor * configured["lr"]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Read and log the scalars every `trainer.log_every_n_steps` batches."""
        if (self.batches_seen + 1) % self.trainer.log_every_n_steps == 0:
            self._read_scalars()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Read the scalars, so that nothing is saved after a loss that was not finite."""
        self._read_scalars()

    def _read_scalars(self) -> None:
        values = self.scalars.read(self.trainer.strategy.reduce)
        if values:
            self.on_scalars_read(values)
            logged = {f"train/{name}": value for name, value in values.items()}
            logged["epoch"] = self.trainer.current_epoch
            for logger in self.trainer.loggers:
                logger.log_metrics(logged, step=self.batches_seen)

    def on_scalars_read(self, values: dict[str, float]) -> None:
        """Take note of the means since the last reading, which are equal on all processes."""

    def compile_networks(self) -> None:
        """Compile in place; parameter names stay, so checkpoints fit uncompiled runs as well."""
        for network in self.children():
            network.compile()


def _settings_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
