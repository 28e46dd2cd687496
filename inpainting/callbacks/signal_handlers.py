"""Keeps this package's handling of signals while Lightning trains or tests."""

import signal
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from inpainting.stopping import Stopped, signals


class SignalHandlers(Callback):
    """Takes the place of Lightning's handlers, which it installs at the start of each stage."""

    def on_sanity_check_start(self, *_: Any) -> None:
        """Install the handlers."""
        signals.handle()

    on_train_start = on_test_start = on_predict_start = on_sanity_check_start

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Pass the end of the first process on to those that it has started."""
        launcher = trainer.strategy.launcher
        if isinstance(exception, Stopped) and launcher is not None and trainer.is_global_zero:
            launcher.kill(signal.SIGTERM)
