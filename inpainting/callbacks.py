"""Callbacks: measuring, the progress display."""

import math
import time
from typing import Any

import numpy as np
import torch
import torch.distributed
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from torch import Tensor

from inpainting.errors import InputError, NonFiniteLossError
from inpainting.metrics import InpaintingMetrics, spread, structural_similarity, summarise


def _gathered(trainer: Trainer, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of all processes, sorted by index, each index once.

    A sampler for several processes repeats pictures so that all have equally many; the repeats
    would count twice.
    """
    if trainer.world_size > 1:
        parts: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(parts, rows)
        parts = [part for part in parts if part]
        rows = {name: np.concatenate([part[name] for part in parts]) for name in (parts or [{}])[0]}
    if not rows:
        return {}
    _, first = np.unique(rows["index"], return_index=True)
    return {name: values[first] for name, values in rows.items()}


class _Rows:
    """Columns of per-picture values, collected batch by batch."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Tensor]] = []

    def add(self, columns: dict[str, Tensor]) -> None:
        self.batches.append({name: values.detach() for name, values in columns.items()})

    def gathered(self, trainer: Trainer) -> dict[str, np.ndarray]:
        rows = {}
        if self.batches:
            rows = {
                name: torch.cat([batch[name] for batch in self.batches]).cpu().numpy()
                for name in self.batches[0]
            }
        return _gathered(trainer, rows)


class Evaluation(Callback):
    """Measures the completions of validation and test; owns the metrics.

    Validation logs the means as `val/…` and stops a training whose validation is NaN, before it
    is saved. A test leaves its numbers in `summary`, `rows` and `images_per_second`.
    """

    def __init__(self, metrics: InpaintingMetrics):
        self.metrics = metrics
        self.summary: dict[str, float] = {}
        self.rows: dict[str, np.ndarray] = {}
        self.images_per_second = float("nan")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be measured, before a training rather than after it.

        Raises:
            InputError: no picture is left to measure, or they are smaller than SSIM's window, or
                lack what the metrics need.
        """
        for split, dataset in trainer.datamodule.datasets.items():
            limit = getattr(trainer, f"limit_{split}_batches")
            batch = trainer.datamodule.eval_batch_size * trainer.world_size
            batches = math.ceil(len(dataset) / batch)
            if split != "train" and isinstance(limit, float) and 0 < limit < 1 / batches:
                raise InputError(
                    f"trainer.limit_{split}_batches={limit} of {batches} batch(es) is none: type "
                    f"trainer.limit_{split}_batches=1 for one batch"
                )
        side = trainer.datamodule.image_size
        structural_similarity(*torch.zeros(2, 1, 1, side, side))
        self.metrics.setup(trainer.datamodule)

    def _start(self, module: LightningModule, sets: bool) -> None:
        self._losses, self._completed = _Rows(), _Rows()
        self._seconds, self._sets = 0.0, sets
        if sets:
            self.metrics.to(module.device)
            self.metrics.reset_set()

    def _measure(self, trainer: Trainer, outputs: dict[str, Any]) -> None:
        if outputs["loss"] is not None:
            self._losses.add({"index": outputs["index"], "loss": outputs["loss"]})
        done = outputs["completed"]
        if not len(done["index"]):
            return
        completion, label = done["completion"][:, 0], done.get("label")
        values = self.metrics(completion, done["image"], done["mask"], label)
        if done["completion"].shape[1] > 1:
            values["spread"] = spread(done["completion"], done["mask"])
        self._completed.add({"index": done["index"], **values})
        if self._sets:
            # Lightning deals the pictures out in turn: picture i belongs to process i mod n, and
            # any other place where it turns up is a repeat.
            keep = done["index"] % trainer.world_size == trainer.global_rank
            self.metrics.update_set(completion, done["image"], keep, label)

    def _finish(self, trainer: Trainer) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        rows = self._completed.gathered(trainer)
        summary = summarise({name: values for name, values in rows.items() if name != "index"})
        losses = self._losses.gathered(trainer) if self._losses.batches else {}
        if losses:
            summary["loss"] = float(losses["loss"].mean(dtype=np.float64))
        return summary, rows

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start anew."""
        self._start(pl_module, sets=False)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Measure one batch."""
        self._measure(trainer, outputs)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means.

        Raises:
            NonFiniteLossError: the loss or the completions are not finite.
        """
        summary, _ = self._finish(trainer)
        broken = [name for name in ("loss", "l1") if not np.isfinite(summary.get(name, 0.0))]
        if broken:
            raise NonFiniteLossError(
                f"val/{broken[0]} is NaN or infinite; training stopped and the checkpoints of the "
                "last whole epoch are untouched. Lower the learning rate and resume."
            )
        values = {
            f"val/{name}": value
            for name, value in summary.items()
            if name not in ("n", "n_without_hole")
        }
        pl_module.log_dict(values, sync_dist=False, rank_zero_only=False)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start anew."""
        self._start(pl_module, sets=True)

    def on_test_batch_start(self, *_: Any) -> None:
        """Start the clock: completing is timed, measuring is not."""
        self._began = time.perf_counter()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Stop the clock and measure one batch."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._seconds += time.perf_counter() - self._began
        self._measure(trainer, outputs)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the numbers for whoever asked for the test."""
        self.summary, self.rows = self._finish(trainer)
        self.summary |= self.metrics.compute_set()
        self.images_per_second = len(self.rows["index"]) / self._seconds


class Progress(RichProgressBar):
    """Lightning's live display with the latest training losses, read without extra waiting."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The losses last read, without their parts, and the last validation's hole metrics."""
        losses = {
            name.removeprefix("loss_"): value
            for name, value in pl_module.scalars.latest.items()
            if name.count("_") <= 1
        }
        logged = trainer.callback_metrics
        validation = {
            name: float(logged[f"val/{name}"])
            for name in ("psnr_hole", "ssim_hole")
            if f"val/{name}" in logged
        }
        return {**losses, **validation}
