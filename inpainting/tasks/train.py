"""A whole training: fit, test the best checkpoint, compare, write the run's folder."""

import logging
import signal
import sys
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from omegaconf import DictConfig

from inpainting.callbacks.clock import Clock
from inpainting.errors import InputError
from inpainting.loggers.appending_csv import drop_rows_after
from inpainting.loggers.dashboard import finished, log_test
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import load_weights, read_checkpoint
from inpainting.runs.folder import Record
from inpainting.runs.results import set_aside
from inpainting.tasks.checks import check_training
from inpainting.tasks.compare import test_against
from inpainting.tasks.further_tests import check_tests, run_tests
from inpainting.tasks.parts import Parts, build_parts
from inpainting.tasks.table import announce
from inpainting.tasks.test import test
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO

log = logging.getLogger(__name__)


def train(config: DictConfig, folder: Path) -> float | None:
    """Train and test as configured, and write the results to `folder`.

    Returns:
        the best value of the monitored number; None if nothing was trained
    """
    clock = Clock()
    clock.start("wall")
    with finished():
        return _train(build_parts(config, folder), folder, clock)


def _train(parts: Parts, folder: Path, clock: Clock) -> float | None:
    trainer, settings = parts.trainer, parts.record.config
    details, best = {"seed": settings["seed"]}, None
    if parts.method.trained:
        check_tests(settings["tests"] or {})
        check_training(settings["trainer"], parts.name, parts.method, parts.data)
        details |= fit(parts, clock, resumed=settings["resume"] is not None)
        best = load_best(trainer, parts.method)
        details |= {"monitor": settings["monitor"], "best": best}
    else:
        parts.log_config()
    tested = test(trainer, parts.method, parts.data, parts.name)
    tested.result.details |= details | {"wall_seconds": round(clock.seconds("wall"), 1)}
    results = test_against(trainer, tested, parts.data, parts.opponents, folder)
    if trainer.is_global_zero:
        parts.record.write()
        run_tests(settings["tests"] or {}, folder)
        tested.result.write(folder)  # last: metrics.json marks the run as finished
        log_test(trainer, tested.result, folder)
        announce(results, folder)
    return best


def fit(parts: Parts, clock: Clock, resumed: bool) -> dict[str, Any]:
    """Fit the method; a resumed run starts from the end of its last whole epoch.

    Args:
        parts: of the training
        clock: measures the training's time, across interruptions
        resumed: True if the run is resumed

    Returns:
        number of epochs, seconds and images per second, for `metrics.json`

    Raises:
        InputError: Lightning refuses the data's loaders, or the checkpoint to resume does not fit.
    """
    trainer = parts.trainer
    last = _state_to_resume(parts) if resumed else None
    parts.log_config()
    if trainer.is_global_zero:
        # The record is written only once the training starts: a refused training must leave
        # nothing that looks like a run, and a refused resume must leave its folder unchanged.
        begin = LambdaCallback(on_train_start=lambda *_: _begin(parts.record, parts.method))
        trainer.callbacks.insert(0, begin)
    trainer.callbacks.append(clock)
    clock.start("train")
    try:
        trainer.fit(parts.method, parts.data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:  # no loader, or a share below one batch
        raise InputError(f"trainer: {error}") from error
    except SIGTERMException:  # Lightning would exit with status 0
        _say_how_to_continue(parts)
        sys.exit(128 + signal.SIGTERM)
    except SystemExit:  # Lightning's answer to Ctrl-C
        _say_how_to_continue(parts)
        raise
    seconds = clock.seconds("train")
    images = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    images *= parts.data.batch_size * trainer.world_size
    return {
        "epochs": trainer.current_epoch,
        "train_seconds": round(seconds, 1),
        "train_images_per_second": None if resumed else images / seconds,
    }


def _say_how_to_continue(parts: Parts) -> None:
    """Log what an interrupted training has saved, and the command that continues it."""
    last = parts.record.folder / "checkpoints" / "last.ckpt"
    if not parts.trainer.is_global_zero:
        return
    if last.is_file():  # it is also written at the start
        progress = read_checkpoint(last, "last.ckpt")["loops"]["fit_loop"]["epoch_progress"]
        done = progress["current"]["processed"]
        command = f"python -m inpainting.train resume={parts.record.folder}"
        saved = f"the end of epoch {done} is saved" if done else "no epoch had ended"
        log.info("stopped; %s. To continue, type %s", saved, command)
    else:
        log.info("stopped before the training began: nothing is saved in %s", parts.record.folder)


def _begin(record: Record, method: Inpainter) -> None:
    set_aside(record.folder)
    record.write()
    for name, network in method.frozen.items():
        state = {"state_dict": network.state_dict(), "facts": method.frozen_facts.get(name, {})}
        AtomicCheckpointIO().save_checkpoint(state, record.folder / "checkpoints" / f"{name}.pt")


def _state_to_resume(parts: Parts) -> Path:
    """Return the checkpoint to resume from; check that it fits, and cut the log back to it."""
    folder = parts.record.folder
    last = folder / "checkpoints" / "last.ckpt"
    load_weights(parts.method, last, "resume")  # first, so that a refusal changes nothing
    loops = read_checkpoint(last, "resume")["loops"]["fit_loop"]
    seen = loops["epoch_loop.batch_progress"]["total"]["completed"]
    if parts.trainer.is_global_zero:
        drop_rows_after(folder / "metrics.csv", seen)
    return last


def load_best(trainer: Trainer, method: Inpainter) -> float | None:
    """Load the best weights into the method.

    Returns:
        the monitored number of these weights; None if no callback saved any, in which case the
        method keeps its last weights
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint):
            path, score = Path(callback.best_model_path), callback.best_model_score
            if not path.is_file():
                log.warning("no checkpoint was saved as the best: the last weights are tested")
                return None
            load_weights(method, path, "callbacks.best")
            return None if score is None else float(score)
    return None
