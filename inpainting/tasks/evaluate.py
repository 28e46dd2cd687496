"""A whole evaluation: a run, or a model without training, tested on any data and holes."""

import logging
import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting.loggers.dashboard import finished, log_test
from inpainting.runs.folder import Run
from inpainting.tasks.compare import test_against
from inpainting.tasks.parts import Parts, build_parts
from inpainting.tasks.table import announce
from inpainting.tasks.test import test

log = logging.getLogger(__name__)


def evaluate(config: DictConfig, folder: Path) -> None:
    """Test as configured, and write the results to `folder`."""
    with finished():
        began = time.perf_counter()
        try:
            if config.holes_of is not None:
                meet_same_holes(config)
            _evaluate(build_parts(config, folder), folder, began)
        except SystemExit:  # SIGTERM, or Lightning's answer to Ctrl-C
            log.info("stopped: nothing is saved; type the same command to start again")
            raise


def meet_same_holes(config: DictConfig) -> None:
    """Take over the images, the holes and the metrics of the run that `holes_of` names.

    Once anything is typed about metrics, none of the run's are taken.

    Raises:
        InputError: the folder holds no run, or its configuration is not to be trusted.
    """
    run = Run.open(config.holes_of, "holes_of")
    config.eval_mask_seed = run.config.eval_mask_seed
    typed = HydraConfig.get().overrides.task
    own = any(text.lstrip("+~").startswith("metrics") for text in typed)
    for key in ("data", "mask") if own else ("data", "mask", "metrics"):
        config[key] = run.part(key, config)


def _evaluate(parts: Parts, folder: Path, began: float) -> None:
    parts.log_config()
    tested = test(parts.trainer, parts.method, parts.data, parts.name)
    settings = parts.record.config
    tested.result.details |= {"run": settings["run"], "seed": settings["seed"]}
    tested.result.details["wall_seconds"] = round(time.perf_counter() - began, 1)
    results = test_against(parts.trainer, tested, parts.data, parts.opponents, folder)
    if parts.trainer.is_global_zero:
        parts.record.write()
        tested.result.write(folder)  # last: metrics.json marks the evaluation as finished
        log_test(parts.trainer, tested.result, folder)
        announce(results, folder)
