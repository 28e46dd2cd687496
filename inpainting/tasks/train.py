"""A whole training: fit, test the best checkpoint, compare, write the run's folder."""

import logging
import signal
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from lightning import LightningDataModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from omegaconf import DictConfig

from inpainting.callbacks.clock import Clock
from inpainting.errors import InputError
from inpainting.loggers.appending_csv import drop_rows_after
from inpainting.loggers.dashboard import finished, log_test
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import checkpoint_path, load_weights, read_checkpoint
from inpainting.runs.folder import Record, Run
from inpainting.tasks.build import (
    build,
    build_method,
    build_opponents,
    build_trainer,
    log_config,
    shrunk,
)
from inpainting.tasks.checks import check_complete, check_training
from inpainting.tasks.compare import test_against
from inpainting.tasks.table import announce
from inpainting.tasks.test import test

log = logging.getLogger(__name__)


def train(config: DictConfig, folder: Path) -> float | None:
    """Train and test as configured, into `folder`.

    Returns:
        the best value of the monitored metric; None where nothing was trained
    """
    with finished():
        return _train(config, folder)


def _train(config: DictConfig, folder: Path) -> float | None:
    clock = Clock()
    clock.start("wall")
    check_complete(config)
    if config.shrink:
        typed = HydraConfig.get().overrides.task
        config.model = shrunk(config.model, config.small, typed)
    if config.resume is not None:
        Run(folder).check_network(config.model)
    record = Record.of(config, folder)
    seed_everything(config.seed, workers=True, verbose=False)
    data = build(config.data)
    method = build_method(config.model, config)
    if config.init_from is not None:
        load_weights(method, checkpoint_path(config.init_from, "init_from"), "init_from")
    opponents = build_opponents(config, data)
    trainer = build_trainer(config)
    details, best = {"seed": config.seed}, None
    if method.trained:
        check_training(config.trainer, config.name, method, data)
        details |= fit(trainer, method, data, record, clock, resumed=config.resume is not None)
        best = load_best(trainer, method)
        details |= {"monitor": config.monitor, "best": best}
    else:
        log_config(trainer, record.config)
    tested = test(trainer, method, data, config.name)
    tested.result.details |= details | {"wall_seconds": round(clock.seconds("wall"), 1)}
    results = test_against(trainer, tested, data, opponents, folder)
    if trainer.is_global_zero:
        record.write()
        tested.result.write(folder)  # last: a run with metrics.json is finished
        log_test(trainer, tested.result, folder)
        announce(results, folder)
    return best


def fit(
    trainer: Trainer,
    method: Inpainter,
    data: LightningDataModule,
    record: Record,
    clock: Clock,
    resumed: bool,
) -> dict[str, Any]:
    """Fit, from the end of the last whole epoch where the run is a resumed one.

    Returns:
        epochs and times, for `metrics.json`
    """
    last = _state_to_resume(trainer, method, record.folder) if resumed else None
    log_config(trainer, record.config)
    if trainer.is_global_zero:
        # Not earlier: a training that was refused must leave nothing that looks like a run, and a
        # resumed one must leave its folder as it was.
        start = LambdaCallback(on_train_start=lambda *_: record.write())
        trainer.callbacks.insert(0, start)
    trainer.callbacks.append(clock)
    clock.start("train")
    try:
        trainer.fit(method, data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:  # it lacks a loader, or a share of one is no batch
        raise InputError(f"trainer: {error}") from error
    except SIGTERMException:  # Lightning itself would end in status 0
        sys.exit(128 + signal.SIGTERM)
    seconds = clock.seconds("train")
    images = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    images *= data.batch_size * trainer.world_size
    return {
        "epochs": trainer.current_epoch,
        "train_seconds": round(seconds, 1),
        "train_images_per_second": None if resumed else images / seconds,
    }


def _state_to_resume(trainer: Trainer, method: Inpainter, folder: Path) -> Path:
    """The checkpoint to go on from, once it is known to fit; the log is cut back to it."""
    last = folder / "checkpoints" / "last.ckpt"
    load_weights(method, last, "resume")  # refused before anything is changed
    loops = read_checkpoint(last, "resume")["loops"]["fit_loop"]
    seen = loops["epoch_loop.batch_progress"]["total"]["completed"]
    if trainer.is_global_zero:
        drop_rows_after(folder / "metrics.csv", seen)
    return last


def load_best(trainer: Trainer, method: Inpainter) -> float | None:
    """Put the best weights into the method.

    Returns:
        their score; None where no callback chose any, and the last weights stay
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint):
            path, score = Path(callback.best_model_path), callback.best_model_score
            if not path.is_file():
                log.warning("no validation was saved as the best: the last weights are tested")
                return None
            load_weights(method, path, "callbacks.best")
            return None if score is None else float(score)
    return None
