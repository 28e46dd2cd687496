"""What an interrupted training has saved, and the command that goes on."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inpainting.errors import is_first_process
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.stopping import Stopped

log = logging.getLogger(__name__)


@contextmanager
def says_how_to_continue(folder: Path) -> Iterator[None]:
    """Log one line if a signal stops the block.

    Args:
        folder: of the run
    """
    try:
        yield
    except Stopped:
        if not is_first_process():
            # Lightning kills the first process as soon as another one ends with an error.
            sys.exit(0)
        log.info("stopped; %s", saved(folder))
        raise


def saved(folder: Path) -> str:
    """Say what a run has saved and what to type to continue it."""
    last = folder / "checkpoints" / "last.ckpt"
    if not (folder / "config.yaml").is_file():
        return "the training had not begun, so nothing is saved; type the same command again"
    if not last.is_file():
        return "it keeps no last.ckpt, so the training must start again in another folder"
    checkpoint = read_checkpoint(last, "last.ckpt")
    loops = checkpoint["loops"]["fit_loop"]
    epoch = loops["epoch_progress"]["current"]
    if epoch["started"] > epoch["processed"]:
        done = loops["epoch_loop.batch_progress"]["current"]["ready"]
        total = checkpoint["within_epoch"]["batches"]
        state = f"batch {done:,} of {total:,} of epoch {epoch['started']} is saved"
    elif epoch["processed"]:
        state = f"the end of epoch {epoch['processed']} is saved"
    else:
        state = "no epoch had ended"
    return f"{state}. To continue, type python -m inpainting.train resume={folder}"


def requeued(folder: Path) -> bool:
    """Return True in a job that SLURM has started again and that has a run to go on with."""
    again = int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0
    return again and (folder / "config.yaml").is_file()
