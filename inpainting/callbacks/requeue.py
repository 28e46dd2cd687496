"""Queues a job of SLURM again before its time is up."""

import logging
import os
import signal
import subprocess

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from inpainting.stopping import Stopped, signals

log = logging.getLogger(__name__)


class Requeue(Callback):
    """On SIGUSR1 the training saves, stops, and its job is queued again.

    Lightning's own requeueing writes the checkpoint in the signal's handler, which can run in the
    middle of a step.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let SIGUSR1 stop the training, not only save."""
        signals.save_stops = True

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Queue the job again; by now the checkpoint is written."""
        asked = isinstance(exception, Stopped) and exception.signum == signal.SIGUSR1
        if not (asked and trainer.is_global_zero):
            return
        array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
        job = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which SLURM sends at once, while we end
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        if done.returncode:
            log.warning("scontrol requeue %s failed: %s", job, done.stderr.strip())
        else:
            log.info("job %s is queued again", job)
