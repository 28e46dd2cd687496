"""Checkpoints of weights: the best ones, and those at the end of each stage."""

from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from inpainting.callbacks.evaluation import monitored_end
from inpainting.errors import InputError


def ended_within_an_epoch(trainer: Trainer) -> bool:
    """Return True if something such as `trainer.max_time` stops the training within an epoch."""
    return trainer.should_stop and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


class BestCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, which asks the metrics whether higher or lower is better.

    The best score survives a move of the run's folder, and a metric that is NaN raises an error.

    Args:
        monitor: the validation metric that decides, such as "val/psnr_hole"; "last" takes the
            weights of the last validation, for a method whose later weights no metric prefers
        mode: "max" or "min" for a value that no metric measures but the method logs; None asks
            the metrics
        options: keyword arguments of `ModelCheckpoint`
    """

    def __init__(self, monitor: str, mode: str | None = None, **options: Any):
        last = monitor == "last"
        super().__init__(monitor=None if last else monitor, mode=mode or "min", **options)
        self._asks_the_metrics = mode is None and not last

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out whether higher or lower is better for the monitored metric.

        Raises:
            InputError: nothing measures `monitor`, or it has no better end.
        """
        if stage == "fit" and self._asks_the_metrics:
            self.mode = monitored_end(trainer, self.monitor)
            self.kth_value = torch.tensor(float("inf" if self.mode == "min" else "-inf"))
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score, also if the run's folder has moved in the meantime."""
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
        """Save the weights if they are the best.

        Raises:
            InputError: the monitored metric is missing or NaN; a metric of scope "hole" is NaN if
                no image has a hole.
        """
        if self.monitor is not None:
            self._check(trainer)
        # An uninterrupted training never validates these weights, so they must not replace the best
        # ones, unless there are none to test.
        if not (ended_within_an_epoch(trainer) and self.best_model_path):
            super().on_validation_end(trainer, pl_module)

    def _check(self, trainer: Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        # The validation before the training already knows every metric of validation.
        if value is None and (self.monitor.startswith("val/") or not trainer.sanity_checking):
            raise InputError(
                f"monitor={self.monitor}: validation reports no such metric; type monitor= with "
                f"one of {', '.join(k for k in trainer.callback_metrics if k.startswith('val/'))}"
            )
        if value is not None and value.isnan() and not trainer.sanity_checking:
            raise InputError(
                f"{self.monitor} is NaN, so no epoch can be the best: type monitor=val/loss"
            )


class StageCheckpoint(Checkpoint):
    """Keeps the weights at the end of each stage but the last, as `STAGE.ckpt`.

    So a run can be measured before its fine-tuning, and other fine-tunings can start from there.
    Methods without stages write none.

    Args:
        dirpath: the folder to write to
    """

    def __init__(self, dirpath: str):
        self.dirpath, self._stage = Path(dirpath), None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save the weights if the batch is the first of another stage."""
        before, self._stage = self._stage, pl_module.stage
        if before is not None and before != self._stage:
            trainer.save_checkpoint(self.dirpath / f"{before}.ckpt", weights_only=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the present stage, which may end with the first batch after a resume."""
        return {"stage": self._stage}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the stage."""
        self._stage = state_dict["stage"]
