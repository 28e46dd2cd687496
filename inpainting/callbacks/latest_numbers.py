"""The latest numbers of a training, for its display and its log."""

from math import isnan

from lightning import LightningModule, Trainer

from inpainting.callbacks.evaluation import Evaluation
from inpainting.metrics.columns import leading


def latest_numbers(trainer: Trainer, method: LightningModule) -> dict[str, float]:
    """Return the last losses, without their terms, and the last validation's main metrics.

    They are those that were read last; nothing waits for the device.
    """
    losses = {
        name.removeprefix("loss_"): value
        for name, value in method.scalars.latest.items()
        if name.count("_") <= 1
    }
    logged = trainer.callback_metrics
    evaluations = [each for each in trainer.callbacks if isinstance(each, Evaluation)]
    columns = leading(evaluations[0].columns) if evaluations else []
    validation = {
        column.name: float(logged[f"val/{column.name}"])
        for column in columns
        if f"val/{column.name}" in logged
    }
    # A number of the hole is NaN where images are reconstructed as a whole.
    return {**losses, **{name: value for name, value in validation.items() if not isnan(value)}}
