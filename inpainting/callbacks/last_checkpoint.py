"""`last.ckpt`: all that a resume needs, after every epoch and within long ones.

Lightning stores the counters of its loops and takes up an epoch after the batch that they name. It
leaves three things to others: the loader must pass over the batches that are done (see
`inpainting.data.order`), every process must get back its random numbers and the sums of its losses,
and a validation that was under way must begin anew. This file does the last two.
"""

import time
from pathlib import Path
from signal import SIGTERM
from typing import Any

import torch
import torch.distributed
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from inpainting.callbacks.checkpoints import ended_within_an_epoch
from inpainting.errors import InputError, check_whole
from inpainting.stopping import Stopped, signals

NOTHING, SAVE, STOP = range(3)  # what may be due after a batch; the greatest wish of a process wins

VALIDATION = "epoch_loop.val_loop.batch_progress"


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`, from which a resumed training equals an uninterrupted one.

    It is written at the start, so that a training killed at any moment can be resumed; at the end
    of every epoch; within an epoch or before its validation if the last one is too old, and before
    `trainer.max_time` or a signal ends the training.

    Args:
        path: the file to write
        every_minutes: write within an epoch if the file is older than that; None does not
        every_batches: write within an epoch after so many batches, counted from the start of the
            training; None does not

    Raises:
        InputError: a number is out of range.
    """

    def __init__(self, path: str, every_minutes: float | None, every_batches: int | None):
        if every_minutes is not None and not every_minutes > 0:
            raise InputError(
                f"callbacks.last.every_minutes={every_minutes}: type a number above 0, or null"
            )
        if every_batches is not None:
            check_whole("callbacks.last.every_batches", every_batches, 1)
        self.path, self.every_batches = Path(path), every_batches
        self.seconds = float("inf") if every_minutes is None else 60 * every_minutes
        self._written, self._due, self._validating = 0.0, NOTHING, False
        self._stored: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the untrained state, or take up the epoch of a resumed training."""
        if trainer.ckpt_path is None:
            self._save(trainer)
        if self._stored is not None:
            trainer.datamodule.generators.load_state_dict(self._stored["generators"])
            pl_module.scalars.load_state_dict(self._stored["scalars"], pl_module.device)
        self._written, self._stored, signals.patient = time.monotonic(), None, True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is due or the training ends here; stop it if a signal has asked for it.

        Raises:
            Stopped: after a signal.
        """
        self._due = self._wish(trainer, pl_module)
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        validated = trainer.val_check_batch and (batch_idx + 1) % trainer.val_check_batch == 0
        # Lightning would skip the validation that follows a batch if it resumed after that batch;
        # and overfitting puts a sampler of its own in the place of ours.
        if last or validated or trainer.overfit_batches:
            return
        if self._due or trainer.fit_loop.epoch_loop.done:
            pl_module.read_scalars()  # what Lightning calls only after this
            self._save(trainer)
        self._stop_if_due()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save before a validation if it is due.

        Raises:
            Stopped: after a signal.
        """
        if trainer.sanity_checking:
            return
        self._validating = True
        if self._due and not ended_within_an_epoch(trainer):
            self._save(trainer)
            self._stop_if_due()
        signals.patient = False

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let signals wait again: what follows must not be done by halves."""
        self._validating = False
        signals.patient = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation and all other callbacks, unless the epoch was cut short.

        Raises:
            Stopped: after a signal.
        """
        if not ended_within_an_epoch(trainer):
            self._save(trainer)
        self._due = self._wish(trainer, pl_module)
        self._stop_if_due()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let signals stop at once what follows the training."""
        signals.patient = False

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save if a signal stopped a validation, in which one process can do so without others."""
        signals.patient = False
        stopped = isinstance(exception, Stopped) and self._validating
        if stopped and trainer.world_size == 1 and not ended_within_an_epoch(trainer):
            self._save(trainer)

    def _wish(self, trainer: Trainer, pl_module: LightningModule) -> int:
        """Return what is due after this batch, on all processes the same."""
        old = time.monotonic() - self._written > self.seconds
        done = pl_module.batches_seen + 1
        counted = SAVE if self.every_batches and done % self.every_batches == 0 else NOTHING
        wish = STOP if signals.stop else SAVE if signals.save or old else counted
        if trainer.world_size == 1:
            return wish
        if done % trainer.log_every_n_steps:  # they agree where the host waits for losses anyway
            return counted
        own = torch.tensor(wish, device=pl_module.device)
        return int(trainer.strategy.reduce(own, reduce_op="max"))

    def _stop_if_due(self) -> None:
        if self._due == STOP:
            self._validating = False
            raise Stopped(signals.stop or SIGTERM)  # another process may have got the signal

    def _save(self, trainer: Trainer) -> None:
        for logger in trainer.loggers:  # what was logged so far is not logged again after a resume
            logger.save()
        trainer.save_checkpoint(self.path)
        self._written, signals.save = time.monotonic(), False

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what an epoch needs to be taken up: the state of every process."""
        own: Any = {
            "generators": trainer.datamodule.generators.state_dict(),
            "scalars": pl_module.scalars.state_dict(),
        }
        states = [own]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, own)
        checkpoint["within_epoch"] = {
            "batches": trainer.num_training_batches,
            "needs": _needs(trainer),
            "processes": states,
        }
        if self._validating:
            # By these counters Lightning goes back to a validation of which no batch is done.
            begun = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
            none = dict.fromkeys(begun, 0)
            counters = {"total": begun, "current": none, "is_last_batch": False}
            checkpoint["loops"]["fit_loop"][VALIDATION] = counters

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the state of this process for the start.

        Raises:
            InputError: the epoch cannot be taken up with these settings or images.
        """
        epoch = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        if epoch["started"] == epoch["processed"]:
            return  # the next epoch starts with its own seeds
        before, now = checkpoint["within_epoch"]["needs"], _needs(trainer)
        for name, value in now.items():
            if value != before[name]:
                raise InputError(
                    f"{name} is {value}, but epoch {epoch['started']}, within which this run "
                    f"stopped, began with {before[name]}: type resume=… with {before[name]} again"
                )
        self._stored = checkpoint["within_epoch"]["processes"][trainer.global_rank]


def _needs(trainer: Trainer) -> dict[str, Any]:
    """Return what must not change within an epoch, as it decides which batch comes next."""
    data = trainer.datamodule
    return {
        "the number of training images": len(data.datasets["train"]),
        "data.batch_size": data.batch_size,
        "the number of devices": trainer.world_size,
        "trainer.limit_train_batches": trainer.limit_train_batches,
        "seed": data.seed,
    }
