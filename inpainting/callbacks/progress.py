"""The progress display of a training."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from inpainting.callbacks.evaluation import Evaluation
from inpainting.metrics.columns import leading


class ProgressDisplay(RichProgressBar):
    """Lightning's live display with the last losses, shown without waiting for the device."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the last losses, without their terms, and the last validation's main metrics."""
        losses = {
            name.removeprefix("loss_"): value
            for name, value in pl_module.scalars.latest.items()
            if name.count("_") <= 1
        }
        logged = trainer.callback_metrics
        evaluations = [each for each in trainer.callbacks if isinstance(each, Evaluation)]
        validation = {
            column.name: float(logged[f"val/{column.name}"])
            for column in leading(evaluations[0].columns)
            if f"val/{column.name}" in logged
        }
        return {**losses, **validation}
