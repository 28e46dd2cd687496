"""A whole training: fit, test the best checkpoint, compare, write the run's folder."""

import logging
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from inpainting.callbacks.clock import Clock
from inpainting.errors import InputError
from inpainting.loggers.appending_csv import drop_rows_after
from inpainting.loggers.dashboard import finished, log_test
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import load_weights, read_checkpoint
from inpainting.runs.results import set_aside
from inpainting.tasks.checks import check_size
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
        check_size(parts.method, parts.data, parts.name)
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
    """Fit the method; a resumed run goes on where its last checkpoint was written.

    Args:
        parts: of the training
        clock: measures the training's time, across interruptions
        resumed: True if the run is resumed

    Returns:
        number of epochs, seconds and images per second, for `metrics.json`

    Raises:
        InputError: Lightning refuses the data's loaders, or the checkpoint to resume does not fit.
    """
    trainer, last = parts.trainer, None
    if resumed:
        last = parts.record.folder / "checkpoints" / "last.ckpt"
        load_weights(parts.method, last, "resume")
        _say_if_time_is_up(trainer, read_checkpoint(last, "resume")["callbacks"])
    parts.log_config()
    if trainer.is_global_zero:
        # The record is written only once the training starts: a refused training must leave
        # nothing that looks like a run, and a refused resume must leave its folder unchanged.
        trainer.callbacks.append(LambdaCallback(on_train_start=lambda *_: _begin(parts, last)))
    trainer.callbacks.append(clock)
    clock.start("train")
    try:
        trainer.fit(parts.method, parts.data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:  # no loader, or a share below one batch
        raise InputError(f"trainer: {error}") from error
    seconds = clock.seconds("train")
    images = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    images *= parts.data.batch_size * trainer.world_size
    return {
        "epochs": trainer.current_epoch,
        "train_seconds": round(seconds, 1),
        "train_images_per_second": None if resumed else images / seconds,
    }


def _say_if_time_is_up(trainer: Trainer, states: dict[str, Any]) -> None:
    """Say why a resume trains nothing: the time of a training counts over all its resumes."""
    for timer in trainer.callbacks:
        if isinstance(timer, Timer) and timer.state_key in states:
            elapsed = states[timer.state_key]["time_elapsed"]["train"]
            if elapsed >= timer.time_remaining():
                log.warning(
                    "trainer.max_time is used up by the %d seconds that this run has trained, so "
                    "it is only tested: type a longer trainer.max_time, or null, to train on",
                    elapsed,
                )


def _begin(parts: Parts, last: Path | None) -> None:
    """Write the record, once the callbacks have written the first checkpoint.

    So a folder with a configuration can be resumed, and one without is none of a run.
    """
    folder, method = parts.record.folder, parts.method
    set_aside(folder)
    seen, within = 0, False
    if last is not None:
        loops = read_checkpoint(last, "resume")["loops"]["fit_loop"]
        seen = loops["epoch_loop.batch_progress"]["total"]["ready"]
        epoch = loops["epoch_progress"]["current"]
        within = epoch["started"] > epoch["processed"]
    drop_rows_after(folder / "metrics.csv", seen, validated=not within)
    for name, network in method.frozen.items():
        state = {"state_dict": network.state_dict(), "facts": method.frozen_facts.get(name, {})}
        AtomicCheckpointIO().save_checkpoint(state, folder / "checkpoints" / f"{name}.pt")
    parts.record.write()


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
