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

KNOWN_AFTER = 10  # seconds of steps after the first, by which the length of an epoch shows


class EpochLines(Callback):
    """Logs a line at the start of a training and a line after every epoch.

    Dashboards get each epoch's images per second too.

    The lines go to the run's `train.log` and to the terminal, but not to a terminal on which a live
    display is drawn.
    """

    def __init__(self) -> None:
        self._hidden = _Hidden()
        self._began = self._trained = self._first = 0.0
        self._batches = 0  # of this epoch, in this session
        self._seconds: list[float] = []  # of the whole epochs of this session
        self._said = False

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
        self._start_epoch()  # a resume within an epoch has no start of an epoch
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
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._began, self._batches = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Note when the last step ended; validation comes after it."""
        now = time.perf_counter()
        self._trained, self._batches = now - self._began, self._batches + 1
        if self._batches == 1:
            self._first = now
        elif not self._said and now - self._first > KNOWN_AFTER:
            self._said = True
            self._say_length(trainer, (now - self._first) / (self._batches - 1))

    def _say_length(self, trainer: Trainer, seconds: float) -> None:
        """Say how long an epoch takes, from the seconds of a step."""
        steps, epochs = trainer.num_training_batches, trainer.max_epochs or 0
        left = steps * (epochs - trainer.current_epoch)
        if trainer.is_global_zero and left:
            log.info(
                "an epoch takes about %s without its validation; epochs %d to %d about %s",
                _rounded(seconds * steps),
                trainer.current_epoch + 1,
                epochs,
                _rounded(seconds * left),
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how the epoch went, and how long those that are left will take."""
        if not trainer.is_global_zero or ended_within_an_epoch(trainer):
            return
        self._said = True
        seconds = time.perf_counter() - self._began
        if self._batches == trainer.num_training_batches:
            self._seconds.append(seconds)
        numbers = [
            f"{name} {value:.4g}" for name, value in latest_numbers(trainer, pl_module).items()
        ]
        if "val/loss" in trainer.callback_metrics:
            numbers.append(f"val/loss {float(trainer.callback_metrics['val/loss']):.4g}")
        parts = [", ".join(numbers)]
        if self._batches:  # a resume may have had only the validation left to do
            images = self._batches * trainer.datamodule.batch_size * trainer.world_size
            speed = images / self._trained
            parts.append(f"{speed:.4g} images/s")
            for logger in trainer.loggers:
                # Not to metrics.csv: a resumed run has the same one as an uninterrupted run.
                if not isinstance(logger, CSVLogger):
                    logger.log_metrics({"images_per_second": speed}, step=pl_module.batches_seen)
        parts.append(_rounded(seconds))
        left = (trainer.max_epochs or 0) - trainer.current_epoch - 1
        text = "; ".join(parts)
        if left > 0 and self._seconds:
            mean = sum(self._seconds) / len(self._seconds)
            text += f", about {_rounded(left * mean)} left"
        log.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, text)


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
