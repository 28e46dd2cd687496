"""The progress display of a training."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from inpainting.callbacks.evaluation import Evaluation
from inpainting.metrics.columns import leading


class ProgressDisplay(RichProgressBar):
    """Lightning's live display with the latest training losses, read without extra waiting."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The losses last read, without their parts, and the last validation's hole metrics."""
        losses = {
            name.removeprefix("loss_"): value
            for name, value in pl_module.scalars.latest.items()
            if name.count("_") <= 1
        }
        logged = trainer.callback_metrics
        columns = [one for one in trainer.callbacks if isinstance(one, Evaluation)][0].columns
        validation = {
            one.name: float(logged[f"val/{one.name}"])
            for one in leading(columns)
            if f"val/{one.name}" in logged
        }
        return {**losses, **validation}
