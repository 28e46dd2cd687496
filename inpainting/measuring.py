"""A whole evaluation: a run, or a model without training, tested elsewhere than it was trained."""

import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning import seed_everything
from omegaconf import DictConfig

from inpainting import assembly
from inpainting.comparison import build_opponents, test_against
from inpainting.dashboard import finished, log_test
from inpainting.errors import InputError
from inpainting.loggers import log_config
from inpainting.methods.base import Inpainter
from inpainting.results import announce
from inpainting.runs import Run, load_weights, write_config


def run_method(config: DictConfig) -> tuple[Inpainter, str]:
    """The method of `run`, with its weights and what was typed for `model.…`, and its name.

    Without a run, the composed model.

    Raises:
        InputError: neither a run nor a model that needs no training.
    """
    if config.run is None:
        method = assembly.build_method(config.model, config)
        if method.trained:
            raise InputError(
                f"model={config.name} needs training: type run=FOLDER, the folder of its run"
            )
        return method, config.name
    run = Run.open(config.run)
    # In the configuration, too: what is written beside the numbers is what was measured.
    config.model = run.model_config(HydraConfig.get().overrides.task, config.model)
    method = assembly.build_method(config.model, config)
    load_weights(method, run.checkpoint(config.checkpoint), "run")
    return method, str(run.config.name)


def evaluate(config: DictConfig, folder: Path) -> None:
    """Test as configured, into `folder`."""
    with finished():
        _evaluate(config, folder)


def _evaluate(config: DictConfig, folder: Path) -> None:
    began = time.perf_counter()
    assembly.check_complete(config)
    seed_everything(config.seed, workers=True, verbose=False)
    method, name = run_method(config)
    data = assembly.build(config.data)
    assembly.check_channels(method, data, "the run")
    opponents = build_opponents(config, data)
    trainer = assembly.build_trainer(config)
    log_config(trainer, config)
    tested = assembly.test(trainer, method, data, name)
    tested.result.facts |= {"run": config.run, "seed": config.seed}
    tested.result.facts["wall_seconds"] = round(time.perf_counter() - began, 1)
    if trainer.is_global_zero:
        write_config(config, folder)
        tested.result.write(folder)
        log_test(trainer, tested.result, folder)
    results = test_against(trainer, tested, data, opponents, folder)
    if trainer.is_global_zero:
        announce(results, folder)
