"""Evaluation: the metrics of every validation and test."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from inpainting.errors import InputError, NonFiniteLossError
from inpainting.images.evaluated import Evaluated
from inpainting.metrics.base import (
    ImageMetric,
    Metric,
    NeedsData,
    SetMetric,
    columns_of,
    declared,
    validated,
)
from inpainting.metrics.columns import LOSS, better_end, named
from inpainting.metrics.summary import means


def _gathered(trainer: Trainer, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the rows of all processes, sorted by index, with each index once.

    A sampler for several processes repeats images so that all processes have equally many; the
    repeats would count twice.
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


def _agreed(
    trainer: Trainer, metric: SetMetric, values: Mapping[str, float]
) -> Mapping[str, float]:
    """Return the values of a set after checking that all processes computed the same.

    Raises:
        RuntimeError: they differ, because the metric leaves out the other processes' images.
    """
    if trainer.world_size > 1:
        computed: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(computed, dict(values))
        # Every process must raise alike: one that went on would wait for the others for ever.
        for name in sorted({name for other in computed for name in other}):
            others = [other.get(name, math.nan) for other in computed]
            if not np.allclose(others, others[0], rtol=1e-3, equal_nan=True):
                raise RuntimeError(
                    f"{type(metric).__name__} computed another {name} on every process: "
                    f"{', '.join(f'{other:.6g}' for other in others)}. Its compute must cover the "
                    "images of all processes; keep its sums in a torchmetrics.Metric, which adds "
                    "them up"
                )
    return values


def monitored_end(trainer: Trainer, monitor: str | None) -> str:
    """Return "max" or "min", whichever is better for a number that the trainer's metrics measure.

    Raises:
        InputError: see `better_end`.
    """
    measuring = [part for part in trainer.callbacks if isinstance(part, Evaluation)]
    return better_end(monitor, validated(measuring[0].metrics) if measuring else {})


def _measurable(device: torch.device) -> torch.device:
    """Return where metrics measure: on the device, or beside Apple's GPU, which has no float64."""
    return torch.device("cpu") if device.type == "mps" else device


class _Rows:
    """Columns of per-image values, collected batch by batch."""

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

    Validation logs the numbers as `val/NAME` and stops a training whose validation is NaN before a
    checkpoint is saved.

    Args:
        metrics: the metrics by name; None leaves a metric out

    Attributes:
        columns: what the metrics measure, and the loss
        summary: the numbers of the last test, by name
        rows: the last test's values of each image, (N,) by name
        images_per_second: speed of completing images in the last test

    Raises:
        InputError: two metrics measure a number of the same name.
    """

    def __init__(self, metrics: Mapping[str, Metric | None]):
        self.metrics = [metric for metric in metrics.values() if metric is not None]
        self.columns = named([*columns_of(self.metrics).values(), LOSS])
        self.summary: dict[str, float] = {}
        self.rows: dict[str, np.ndarray] = {}
        self.images_per_second = float("nan")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be measured before a training starts, not after it.

        Raises:
            InputError: a limit leaves no image to measure, or a metric cannot measure this data.
        """
        for split, dataset in trainer.datamodule.datasets.items():
            limit = getattr(trainer, f"limit_{split}_batches")
            batch = trainer.datamodule.eval_batch_size * trainer.world_size
            batches = math.ceil(len(dataset) / batch)
            if split != "train" and isinstance(limit, float) and 0 < limit < 1 / batches:
                raise InputError(
                    f"trainer.limit_{split}_batches={limit} of {batches} batch(es) leaves none: "
                    f"type trainer.limit_{split}_batches=1 for one batch"
                )
        for metric in self.metrics:
            if isinstance(metric, NeedsData):
                metric.prepare(trainer.datamodule)

    def _start(self, module: LightningModule, sets: Sequence[SetMetric]) -> None:
        self._losses, self._completed = _Rows(), _Rows()
        self._seconds, self._sets = 0.0, sets
        for metric in sets:
            metric.reset(_measurable(module.device))

    def _measure(self, trainer: Trainer, evaluated: Evaluated) -> None:
        if evaluated.loss is not None:
            self._losses.add({"index": evaluated.index, "loss": evaluated.loss})
        completed = evaluated.completed
        if completed is None:
            return
        completed = completed.to(_measurable(completed.image.device))
        hole_pixels = (completed.mask > 0.5).sum((1, 2, 3))
        values = {"index": completed.index, "hole_pixels": hole_pixels}
        for metric in self.metrics:
            if isinstance(metric, ImageMetric):
                values |= declared(metric, metric.measure(completed))
        self._completed.add(values)
        # Lightning deals the images out in turn: image i belongs to process i mod n, and on every
        # other process it is a repeat.
        keep = completed.index % trainer.world_size == trainer.global_rank
        kept = completed if trainer.world_size == 1 else completed[keep]
        for metric in self._sets:
            metric.update(kept)

    def _finish(self, trainer: Trainer) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        rows = self._completed.gathered(trainer)
        summary: dict[str, float] = {}
        if rows:
            holes = rows["hole_pixels"]
            measured = {k: v for k, v in rows.items() if k not in ("index", "hole_pixels")}
            summary = means(measured, self.columns, holes)
            summary |= {"n": len(holes), "n_without_hole": int((holes == 0).sum())}
        for metric in self._sets:
            summary |= _agreed(trainer, metric, declared(metric, metric.compute()))
        losses = self._losses.gathered(trainer) if self._losses.batches else {}
        if losses:
            summary["loss"] = float(losses["loss"].mean(dtype=np.float64))
        return summary, rows

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reset the accumulated values."""
        sets = [metric for metric in self.metrics if isinstance(metric, SetMetric)]
        self._start(pl_module, [metric for metric in sets if metric.at_validation])

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Measure one batch."""
        self._measure(trainer, outputs)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the numbers.

        Raises:
            NonFiniteLossError: the loss or a completion is not finite.
        """
        summary, _ = self._finish(trainer)
        no_hole = summary.get("n") == summary.get("n_without_hole")
        for name, value in summary.items():
            scope = self.columns[name].scope if name in self.columns else ""
            # A set may be too small for its metric, and without holes there is nothing to measure.
            may_be_nan = scope == "set" or (scope == "hole" and no_hole)
            if not np.isfinite(value) and not may_be_nan:
                raise NonFiniteLossError(
                    f"val/{name} is NaN or infinite; training stopped and the checkpoints "
                    "from before are untouched. Lower the learning rate and resume."
                )
        values = {f"val/{name}": value for name, value in summary.items() if name in self.columns}
        pl_module.log_dict(values, sync_dist=False, rank_zero_only=False)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reset the accumulated values."""
        sets = [metric for metric in self.metrics if isinstance(metric, SetMetric)]
        self._start(pl_module, sets)

    def on_test_batch_start(self, *_: Any) -> None:
        """Start the clock; completing images is timed, measuring them is not."""
        self._began = time.perf_counter()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Stop the clock and measure one batch."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._seconds += time.perf_counter() - self._began
        self._measure(trainer, outputs)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the numbers of the test in `summary`, `rows` and `images_per_second`."""
        self.summary, self.rows = self._finish(trainer)
        self.images_per_second = len(self.rows["index"]) / self._seconds
