"""Lines in a run's log: what a training starts with, and how every epoch went."""

import logging
import time
from datetime import timedelta
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import CSVLogger

from inpainting.callbacks.checkpoints import ended_within_an_epoch
from inpainting.callbacks.latest_numbers import latest_numbers

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Logs a line at the start of a training and a line after every epoch.

    Dashboards get each epoch's images per second too.

    The lines go to the run's `train.log` and to the terminal, but not to a terminal on which a live
    display is drawn.
    """

    def __init__(self) -> None:
        self._hidden = _Hidden()
        self._began = self._trained = 0.0
        self._seconds: list[float] = []  # of the epochs of this session

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the lines off a terminal with a live display."""
        if any(isinstance(part, ProgressBar) for part in trainer.callbacks):
            for handler in _terminals():
                handler.addFilter(self._hidden)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let the terminal show all lines again."""
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._hidden)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what is trained, on what and with what."""
        if not trainer.is_global_zero:
            return
        data = trainer.datamodule
        counts = [f"{len(part):,} {name}" for name, part in data.datasets.items()]
        parameters = sum(p.numel() for p in pl_module.parameters() if p.requires_grad)
        log.info(
            "%s with %s parameters on %s (images: %s; holes: %s); %s on %d %s; epochs %d to %s of "
            "%d steps of %d images; to %s",
            type(pl_module).__name__,
            f"{parameters:,}",
            type(data).__name__.removesuffix("DataModule"),
            ", ".join(counts),
            data.mask,
            trainer.precision,
            trainer.world_size,
            pl_module.device.type,
            trainer.current_epoch + 1,
            trainer.max_epochs,
            trainer.num_training_batches,
            data.batch_size * trainer.world_size,
            trainer.default_root_dir,
        )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Note when the last step ended; validation comes after it."""
        self._trained = time.perf_counter() - self._began

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how the epoch went, and how long those that are left will take."""
        if not trainer.is_global_zero or ended_within_an_epoch(trainer):
            return
        self._seconds.append(time.perf_counter() - self._began)
        images = trainer.num_training_batches * trainer.datamodule.batch_size * trainer.world_size
        numbers = [
            f"{name} {value:.4g}" for name, value in latest_numbers(trainer, pl_module).items()
        ]
        if "val/loss" in trainer.callback_metrics:
            numbers.append(f"val/loss {float(trainer.callback_metrics['val/loss']):.4g}")
        speed = images / self._trained
        for logger in trainer.loggers:
            # Not to metrics.csv: a resumed run has the same one as an uninterrupted run.
            if not isinstance(logger, CSVLogger):
                logger.log_metrics({"images_per_second": speed}, step=pl_module.batches_seen)
        left = (trainer.max_epochs or 0) - trainer.current_epoch - 1
        mean = sum(self._seconds) / len(self._seconds)
        log.info(
            "epoch %d of %s: %s; %.4g images/s; %s%s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            ", ".join(numbers),
            speed,
            _rounded(self._seconds[-1]),
            f", about {_rounded(left * mean)} left" if left > 0 else "",
        )


class _Hidden(logging.Filter):
    """Leaves out the lines of this file."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name != __name__


def _terminals() -> list[logging.Handler]:
    handlers = logging.getLogger().handlers
    streams = [part for part in handlers if type(part) is logging.StreamHandler]
    return [part for part in streams if not part.stream.closed and part.stream.isatty()]


def _rounded(seconds: float) -> str:
    """Format a duration as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))
