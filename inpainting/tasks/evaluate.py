"""A whole evaluation: a run, or a model without training, tested elsewhere than it was trained."""

import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning import seed_everything
from omegaconf import DictConfig

from inpainting.errors import InputError
from inpainting.loggers.dashboard import finished, log_test
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import load_weights
from inpainting.runs.folder import Record, Run
from inpainting.tasks.build import (
    build,
    build_method,
    build_opponents,
    build_trainer,
    check_channels,
    log_config,
)
from inpainting.tasks.checks import check_complete
from inpainting.tasks.compare import test_against
from inpainting.tasks.table import announce
from inpainting.tasks.test import test


def run_method(config: DictConfig) -> tuple[Inpainter, str]:
    """The method of `run`, with its weights and what was typed for `model.…`, and its name.

    Without a run, the composed model.

    Raises:
        InputError: neither a run nor a model that needs no training.
    """
    if config.run is None:
        method = build_method(config.model, config)
        if method.trained:
            raise InputError(
                f"model={config.name} needs training: type run=FOLDER, the folder of its run"
            )
        return method, config.name
    run = Run.open(config.run)
    # Into the configuration, too: what is written beside the numbers is what was measured.
    config.model = run.model_config(HydraConfig.get().overrides.task, config.model)
    method = build_method(config.model, config)
    load_weights(method, run.checkpoint(config.checkpoint), "run")
    return method, str(run.config.name)


def evaluate(config: DictConfig, folder: Path) -> None:
    """Test as configured, into `folder`."""
    with finished():
        _evaluate(config, folder)


def _evaluate(config: DictConfig, folder: Path) -> None:
    began = time.perf_counter()
    check_complete(config)
    seed_everything(config.seed, workers=True, verbose=False)
    method, name = run_method(config)
    record = Record.of(config, folder)
    data = build(config.data)
    check_channels(method, data, "the run")
    opponents = build_opponents(config, data)
    trainer = build_trainer(config)
    log_config(trainer, record.config)
    tested = test(trainer, method, data, name)
    tested.result.details |= {"run": config.run, "seed": config.seed}
    tested.result.details["wall_seconds"] = round(time.perf_counter() - began, 1)
    if trainer.is_global_zero:
        record.write()
        tested.result.write(folder)
        log_test(trainer, tested.result, folder)
    results = test_against(trainer, tested, data, opponents, folder)
    if trainer.is_global_zero:
        announce(results, folder)
