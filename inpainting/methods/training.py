"""Lightning's hooks around the training steps of every method.

The interface of a method in `inpainting.methods.base` can be understood without this file.
"""

from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError
from inpainting.methods.scalars import TrainingScalars
from inpainting.nn.average import Average, decay_after


class TrainingHooks(LightningModule):
    """Learning rates, optimiser options after a resume, averaged weights, and training scalars.

    Args:
        lr_schedule: maps the progress of the training in [0, 1] to a factor of all learning rates;
            None keeps the rates constant

    Attributes:
        average: moving average of the weights that complete images; None if the method keeps none
        followed: name of the network that the average follows
    """

    # Of several optimisers, in the order of `configure_optimizers`; a log tells their rates apart.
    optimizer_names: tuple[str, ...] = ("",)

    def __init__(self, lr_schedule: Callable[[float], float] | None):
        super().__init__()
        self.lr_schedule = lr_schedule
        self.scalars = TrainingScalars()
        self.average: Average | None = None
        self.ema_decay, self.followed = 0.0, ""

    @property
    def batches_seen(self) -> int:
        """Number of training batches before the current one, over all epochs and resumes.

        Lightning's `global_step` counts optimiser steps instead, of which a joint phase of GLCIC
        takes two per batch.
        """
        return self.trainer.fit_loop.epoch_loop.total_batch_idx

    @property
    def stage(self) -> str | None:
        """Name of the present stage of the training, for a method whose weights of each matter."""
        return None

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        total = self.trainer.num_training_batches * (self.trainer.max_epochs or 0)
        return min(1.0, self.batches_seen / total) if total > 0 else 0.0

    def on_validation_start(self) -> None:
        """Give all processes the first one's batch norm statistics, which a checkpoint saves."""
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def on_frozen_loaded(self, name: str, facts: dict[str, Any]) -> None:
        """Take notice that a network of `frozen` got its weights from beside a checkpoint.

        Args:
            name: of the network
            facts: what was known about it when it was saved
        """

    def on_fit_start(self) -> None:
        """Remember the configured options of the optimisers."""
        self._options = [_options_of(optimizer) for optimizer in self.trainer.optimizers]

    def on_train_start(self) -> None:
        """Reapply the configured options over the checkpoint's, so a resume can change a rate."""
        for optimizer, options in zip(self.trainer.optimizers, self._options, strict=True):
            for group, configured in zip(optimizer.param_groups, options, strict=True):
                group.update(configured)
        if self.batches_seen >= 0:
            self._set_rates()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rates for this batch."""
        self._set_rates()

    def _set_rates(self) -> None:
        if self.lr_schedule is None:
            return
        factor = self.lr_schedule(self.progress)
        for optimizer, options in zip(self.trainer.optimizers, self._options, strict=True):
            for group, configured in zip(optimizer.param_groups, options, strict=True):
                group["lr"] = factor * configured["lr"]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Read and log the scalars if it is time."""
        self.read_scalars()

    def read_scalars(self) -> None:
        """Read and log the scalars after each `trainer.log_every_n_steps` batches and each epoch.

        A second call after the same batch does nothing. When they are read depends on the batch
        alone and not on when checkpoints are saved, so that a resumed training logs the same.
        """
        last = self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if not last and (self.batches_seen + 1) % self.trainer.log_every_n_steps:
            return
        values = self.scalars.read(self.trainer.strategy.reduce)
        if values:
            self.on_scalars_read(values)
            logged = {f"train/{name}": value for name, value in values.items()}
            logged |= self._learning_rates()
            logged["epoch"] = self.trainer.current_epoch
            for logger in self.trainer.loggers:
                logger.log_metrics(logged, step=self.batches_seen)

    def _learning_rates(self) -> dict[str, float]:
        """Return the rate of each optimiser's first group, as `lr` or `lr/NAME`."""
        named = zip(self.optimizer_names, self.trainer.optimizers, strict=False)
        return {
            f"lr/{name}".rstrip("/"): optimizer.param_groups[0]["lr"] for name, optimizer in named
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """See to it that no checkpoint is saved after a loss that was not finite."""
        self.scalars.means(self.trainer.strategy.reduce)

    def keep_average(self, name: str, decay: float) -> None:
        """Let `self.average` follow the training of one of the method's networks.

        A method with automatic optimisation needs to do no more; another one calls
        `update_average` after each step of the network.

        Args:
            name: of the attribute that holds the network
            decay: of the average, in [0, 1); 0 follows the present weights

        Raises:
            InputError: the decay is out of range.
        """
        if not 0 <= decay < 1:
            raise InputError(f"model.ema_decay={decay}: type a number from 0 up to below 1")
        self.average, self.ema_decay = Average(getattr(self, name)), decay
        self.followed = name

    def update_average(self) -> None:
        """Move the average, if the method keeps one, towards the present weights."""
        if self.average is not None:
            decay = decay_after(self.batches_seen, self.ema_decay)
            self.average.update(getattr(self, self.followed), decay)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step the optimiser, then update the average once, however many batches accumulated."""
        super().optimizer_step(*args, **kwargs)
        self.update_average()

    def optimise(self, optimizer: Optimizer, loss: Tensor) -> None:
        """Take one step against a loss, for methods with several optimisers."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def on_scalars_read(self, values: dict[str, float]) -> None:
        """Handle the means since the last read, which are equal on all processes.

        The default does nothing.
        """

    def compile_networks(self) -> None:
        """Compile in place; parameter names stay, so uncompiled runs can load the checkpoints."""
        for network in self.children():
            network.compile()


def _options_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
