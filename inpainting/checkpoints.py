"""Checkpoints of a run: the best weights, and the state at the end of the last whole epoch."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint

from inpainting.atomic import replacing
from inpainting.callbacks import Evaluation
from inpainting.errors import InputError
from inpainting.metrics.columns import ranked


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's, but a checkpoint replaces the one before only when it is safe on the disk.

    Lightning writes to the system's folder for temporary files and moves the file from there. Where
    that is another file system, which is common in containers and on clusters, moving means truncating
    the earlier checkpoint and copying: a process killed at that moment leaves neither.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "wb") as file:
            torch.save(checkpoint, file)


def ended_within_an_epoch(trainer: Trainer) -> bool:
    """Whether something, such as `trainer.max_time`, stops the training before its epoch is over."""
    return trainer.should_stop and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


class BestCheckpoint(ModelCheckpoint):
    """Lightning's, told by the metrics which end of a number is better.

    It keeps the best score also where the run's folder has moved since, and speaks where the number
    is NaN.

    Args:
        monitor: the number of validation that decides, such as "val/psnr_hole"
        mode: "max" or "min", for a number that the method logs by itself; None asks the metrics
        options: Lightning's
    """

    def __init__(self, monitor: str, mode: str | None = None, **options: Any):
        super().__init__(monitor=monitor, mode=mode or "min", **options)
        self._asks_the_metrics = mode is None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn which end of the monitored number is better.

        Raises:
            InputError: no metric measures it.
        """
        if stage == "fit" and self._asks_the_metrics:
            self.mode = direction_of(self.monitor, trainer)
            self.kth_value = torch.tensor(float("inf" if self.mode == "min" else "-inf"))
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the best score also where the run's folder has moved since."""
        here = {
            name: str(Path(self.dirpath) / Path(state_dict[name]).name) if state_dict[name] else ""
            for name in ("best_model_path", "kth_best_model_path")
        }
        best = {
            str(Path(self.dirpath) / Path(path).name): score
            for path, score in state_dict["best_k_models"].items()
        }
        moved = {**state_dict, **here, "dirpath": self.dirpath, "best_k_models": best}
        super().load_state_dict(moved)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if it is the best.

        Raises:
            InputError: the monitored metric is missing, or NaN as a hole's metric is without holes.
        """
        value = trainer.callback_metrics.get(self.monitor)
        if value is None and not trainer.sanity_checking:
            raise InputError(
                f"monitor={self.monitor}: validation measures no such number, only "
                f"{', '.join(trainer.callback_metrics)}"
            )
        if value is not None and value.isnan() and not trainer.sanity_checking:
            raise InputError(
                f"{self.monitor} is NaN, so no epoch can be the best: type monitor=val/loss"
            )
        # What a resume will not come by again must not take the place of what it remembers.
        if not (ended_within_an_epoch(trainer) and self.best_model_path):
            super().on_validation_end(trainer, pl_module)


def direction_of(monitor: str, trainer: Trainer) -> str:
    """Which end of a number of validation is better, "max" or "min", by the trainer's metrics.

    Raises:
        InputError: none of them measures it, or neither end is.
    """
    columns = {
        f"val/{one.name}": one
        for callback in trainer.callbacks
        if isinstance(callback, Evaluation)
        for one in ranked(callback.columns)
    }
    if monitor not in columns:
        raise InputError(
            f"monitor={monitor}: no metric ranks it; there are {', '.join(columns)}. For a number "
            "that the method logs by itself type callbacks.best.mode=max or min with it"
        )
    return columns[monitor].direction


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`: the state at the end of the last whole epoch.

    Written at the start too, so that at any moment a killed training can be resumed; never within
    an epoch, so that resuming repeats the epoch from its beginning.
    """

    def __init__(self, path: str):
        self.path = Path(path)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the untrained state, unless this training is a resumed one."""
        if trainer.ckpt_path is None:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation and all other callbacks, unless the epoch was cut short."""
        if not ended_within_an_epoch(trainer):
            trainer.save_checkpoint(self.path)


class Clock(Callback):
    """Seconds that a run took, over all its parts: its state stands in `last.ckpt`.

    What a killed part did after its last checkpoint is repeated by the next, and counts once.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._earlier: dict[str, float] = {}

    def start(self, name: str) -> None:
        """Count this part's seconds from now on, under a name."""
        self._began[name] = time.perf_counter()

    def seconds(self, name: str) -> float:
        """Seconds so far of the earlier parts and this one."""
        return self._earlier.get(name, 0.0) + time.perf_counter() - self._began[name]

    def state_dict(self) -> dict[str, float]:
        """All seconds so far."""
        return {name: self.seconds(name) for name in self._began}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from what the earlier parts took."""
        self._earlier = dict(state_dict)
