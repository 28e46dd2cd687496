"""Early stopping by any number of validation: `callbacks=early_stopping`."""

import logging
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from inpainting.callbacks.evaluation import monitored_end
from inpainting.errors import InputError, check_whole

log = logging.getLogger(__name__)


class StopEarly(EarlyStopping):
    """Lightning's `EarlyStopping`, which asks the metrics for the better end and says when it acts.

    Args:
        monitor: the validation number that decides, such as "val/psnr_hole"
        mode: "max" or "min"; None asks the metrics
        patience: validations in a row without a better number, after which the training ends
        min_delta: by how much a number must be better to count
        options: further keyword arguments of `EarlyStopping`

    Raises:
        InputError: `monitor` names no number, or `patience` is below 1.
    """

    def __init__(
        self,
        monitor: str,
        mode: str | None = None,
        patience: int = 5,
        min_delta: float = 0.0,
        **options: Any,
    ):
        if monitor == "last":
            raise InputError(
                "callbacks.early_stopping.monitor=last: this model's epochs are not ranked by a "
                "number; type callbacks.early_stopping.monitor=val/loss or another number"
            )
        check_whole("callbacks.early_stopping.patience", patience, 1)
        # After validation, so that the checkpoint that an epoch ends with has seen its verdict.
        self._options = {"check_on_train_epoch_end": False, **options}
        self._options |= {"patience": patience, "min_delta": min_delta}
        super().__init__(monitor, mode=mode or "min", **self._options)
        self._asks_the_metrics = mode is None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out whether higher or lower is better for the monitored number.

        Raises:
            InputError: nothing measures `monitor`, or it has no better end.
        """
        if stage == "fit" and self._asks_the_metrics:
            mode = monitored_end(trainer, self.monitor)
            super().__init__(self.monitor, mode=mode, **self._options)
            self._asks_the_metrics = False
        super().setup(trainer, pl_module, stage)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count a validation without a better number; say so when it is the last."""
        before = self.stopped_epoch
        super().on_validation_end(trainer, pl_module)
        if self.stopped_epoch != before and trainer.is_global_zero:
            log.info(
                "early stopping: %s has not been better than %.4g for %d validations; the training "
                "ends with epoch %d",
                self.monitor,
                self.best_score,
                self.patience,
                trainer.current_epoch + 1,
            )
