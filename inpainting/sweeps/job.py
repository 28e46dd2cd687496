"""A job of a sweep: one training in a process of its own, that goes on where it stopped.

A process of its own, because Lightning starts further processes with the command line of this
one, which is the sweep's; and what a job breaks (a GPU, a library's state) must not break others.
"""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting.runs.arguments import key_of, quoted
from inpainting.runs.folder import SWEEP_JOB, claimed, failure_reason, status
from inpainting.runs.settings import check_same, is_display

log = logging.getLogger(__name__)

STOPPED = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)


def run_job(config: DictConfig, folder: Path) -> float | None:
    """Train in a process of its own what is not finished yet.

    Returns:
        the best value of the monitored metric; None of a job that failed

    Raises:
        InputError: the folder holds a job of another configuration, or another process writes to it
    """
    check_same(config, folder)
    if status(folder) == "finished":
        log.info(f"{folder} is finished already")
    elif _failed_in_training(folder) and not config.retry_failed:
        log.info(
            f"{folder} failed before, retry_failed=true runs it again: {failure_reason(folder)}"
        )
    else:
        with claimed(folder, resume=True, in_sweep=True):
            command = _command(folder)
            (folder / "failed.txt").unlink(missing_ok=True)
        note_end(folder, run_to_end(command))
    if status(folder) != "finished":
        return None
    (folder / "checkpoints" / "last.ckpt").unlink(missing_ok=True)
    return json.loads((folder / "metrics.json").read_text()).get("best")


def _failed_in_training(folder: Path) -> bool:
    """Whether a job failed after its training began.

    One that was refused before lost nothing, and what is typed or on the disk now may be right.
    """
    return status(folder) == "failed" and (folder / "config.yaml").is_file()


def _command(folder: Path) -> list[str]:
    """The command line of the job alone: its start, or its resume."""
    hydra = HydraConfig.get()
    start = [sys.executable, "-m", "inpainting.train"]
    # Of what is Hydra's own, a job alone needs no more than where else its configurations are.
    sources = hydra.runtime.config_sources
    start += [f"--config-dir={one.path}" for one in sources if one.provider == "command-line"]
    start += [text for text in hydra.overrides.hydra if text.startswith("hydra.searchpath=")]
    start.append("hydra.mode=RUN")
    if (folder / "config.yaml").is_file() and (folder / "checkpoints" / "last.ckpt").is_file():
        shown = [t for t in hydra.overrides.task if is_display(key_of(t).split("@")[0])]
        return [*start, *shown, quoted("resume", folder)]
    (folder / "config.yaml").unlink(missing_ok=True)  # it was stopped before its first checkpoint
    here = [quoted("hydra.run.dir", folder), "hydra.output_subdir=.hydra"]
    return [*start, *hydra.overrides.task, *here]


def run_to_end(command: list[str]) -> int:
    """Run a process to its end; where this one is stopped, that one is stopped too."""
    with _sigterm_raises():
        process = subprocess.Popen(command, env={**os.environ, SWEEP_JOB: "1"})
        try:
            return process.wait()
        except BaseException as reason:
            process.terminate()  # Lightning ends after the batch, and its further processes with it
            try:
                process.wait(timeout=60)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
            if not isinstance(reason, KeyboardInterrupt):
                raise
            print("stopped: the same command goes on from here", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """By itself SIGTERM would end this process at once, and leave the job's running."""

    def stop(*_: Any) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def note_end(folder: Path, code: int) -> None:
    """Say how a process ended that could not say so itself."""
    if code == 0 or code in STOPPED or failure_reason(folder):
        return
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    (folder / "failed.txt").write_text(f"its process {how}, see what it printed\n")
