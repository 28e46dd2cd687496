"""A job of a sweep: one training or evaluation in a separate process.

A training continues where it stopped.

Each job runs in a separate process because Lightning starts further processes with the command
line of the current one, which is the sweep's, and because whatever a job breaks (a GPU, the state
of a library) must not break the other jobs.
"""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting.errors import InputError
from inpainting.runs.arguments import key_of, own_configurations, quoted
from inpainting.runs.folder import SWEEP_JOB, claimed
from inpainting.runs.results import set_aside
from inpainting.runs.settings import check_same, is_display
from inpainting.runs.status import failure_reason, results_of, status
from inpainting.stopping import Stopped, stops_by_signal

log = logging.getLogger(__name__)

STOPPED = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)


def run_job(config: DictConfig, folder: Path) -> float | None:
    """Train or evaluate in a separate process, unless the job is finished or failed in training.

    Args:
        config: of the job
        folder: of the job

    Returns:
        the best value of the monitored number; None if the job is not finished

    Raises:
        InputError: the folder holds a job with another configuration, or another process is
            writing to it
    """
    check_same_training(config, folder)
    if out_of_date(config, folder):
        set_aside(folder)
    if status(folder) == "finished":
        log.info(f"{folder} is already finished")
    elif _failed_in_training(folder) and not config.retry_failed:
        log.info(
            f"{folder} failed ({failure_reason(folder)}); type retry_failed=true to run it again"
        )
    else:
        with claimed(folder, resume=True, in_sweep=True):
            command = _command(folder)
            (folder / "failed.txt").unlink(missing_ok=True)
            (folder / "metrics.json").unlink(missing_ok=True)  # a torn one
        note_end(folder, run_to_end(command))
    if status(folder) != "finished":
        return None
    (folder / "checkpoints" / "last.ckpt").unlink(missing_ok=True)
    return results_of(folder).get("best")


def check_same_training(config: DictConfig, folder: Path) -> None:
    """Refuse a training that differs from the one in the folder; see `check_same`.

    An evaluation cannot differ: its folder is named by what was asked.
    """
    if "run" not in config:  # a key of evaluations
        check_same(config, folder)


def out_of_date(config: DictConfig, folder: Path) -> bool:
    """Return True if a run was trained on after this evaluation of it."""
    if config.get("run") is None or status(folder) != "finished":
        return False
    weights = Path(config.run) / "checkpoints" / f"{config.checkpoint}.ckpt"
    return weights.is_file() and weights.stat().st_mtime > (folder / "metrics.json").stat().st_mtime


def _failed_in_training(folder: Path) -> bool:
    """Return True if a job failed after its training began.

    A job that was refused before its training lost no work, and the command or the files may
    have been corrected since.
    """
    return status(folder) == "failed" and (folder / "config.yaml").is_file()


def _command(folder: Path) -> list[str]:
    """Return the command line of the job without the sweep: it starts or resumes the job."""
    hydra = HydraConfig.get()
    start = [sys.executable, "-m", f"inpainting.{hydra.job.config_name}"]
    start += [*own_configurations(), "hydra.mode=RUN"]
    if (folder / "config.yaml").is_file() and (folder / "checkpoints" / "last.ckpt").is_file():
        shown = [t for t in hydra.overrides.task if is_display(key_of(t).split("@")[0])]
        return [*start, *shown, quoted("resume", folder)]
    (folder / "config.yaml").unlink(missing_ok=True)  # stopped before its first checkpoint
    here = [quoted("hydra.run.dir", folder), "hydra.output_subdir=.hydra"]
    here.append(f"hydra.job.num={hydra.job.num}")  # reports keep this order
    return [*start, *hydra.overrides.task, *here]


def run_to_end(command: list[str]) -> int:
    """Run a command and return its exit status; stop the command if this process is stopped."""
    with stops_by_signal():
        process = subprocess.Popen(command, env={**os.environ, SWEEP_JOB: "1"})
        try:
            return process.wait()
        except BaseException as reason:
            process.terminate()  # Lightning stops after the batch, with its further processes
            try:
                process.wait(timeout=60)
            except (subprocess.TimeoutExpired, Stopped):
                process.kill()
            if isinstance(reason, Stopped):
                print("stopped: type the same command again to continue", file=sys.stderr)
            raise


def _in_use(folder: Path) -> bool:
    """Return True if another sweep runs this job; the refusal of ours is not the job's failure."""
    try:
        with claimed(folder, resume=True, in_sweep=True):
            return False
    except InputError:
        return True


def note_end(folder: Path, code: int) -> None:
    """Write to `failed.txt` how a job's process ended, if the process could not do so itself."""
    if code == 0 or code in STOPPED or failure_reason(folder) or _in_use(folder):
        return
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    (folder / "failed.txt").write_text(f"the process of this job {how}; see what it printed\n")
