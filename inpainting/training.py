"""A whole training: fit, test the best checkpoint, compare, write the run's folder."""

import signal
import sys
import time
from pathlib import Path

from lightning import Trainer, seed_everything
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from inpainting import assembly
from inpainting.errors import InputError
from inpainting.loggers import drop_rows_after
from inpainting.methods.base import Inpainter
from inpainting.results import announce
from inpainting.runs import checkpoint_path, load_weights, read_checkpoint, write_config


def train(config: DictConfig, folder: Path) -> float | None:
    """Train and test as configured, into `folder`.

    Returns:
        the best value of the monitored metric; None where nothing was trained
    """
    began = time.perf_counter()
    seed_everything(config.seed, workers=True, verbose=False)
    data = assembly.build(config.data)
    method = assembly.build_method(config.model, config)
    if config.init_from is not None:
        load_weights(method, checkpoint_path(config.init_from, "init_from"), "init_from")
    trainer = assembly.build_trainer(config)
    if trainer.is_global_zero:
        write_config(config, folder)
    facts, best = {"seed": config.seed}, None
    if method.trained:
        facts |= fit(trainer, method, data, config, folder)
        best = trainer.checkpoint_callback.best_model_score
        load_weights(method, folder / "checkpoints" / "best.ckpt", "best")
    tested = assembly.test(trainer, method, data, config.name)
    tested.result.facts |= facts | {"wall_seconds": round(time.perf_counter() - began, 1)}
    if trainer.is_global_zero:
        tested.result.write(folder)
    results = assembly.test_against(trainer, tested, data, config, folder)
    if trainer.is_global_zero:
        announce(results, folder)
    return None if best is None else float(best)


def fit(
    trainer: Trainer, method: Inpainter, data: object, config: DictConfig, folder: Path
) -> dict[str, float]:
    """Fit, from the last whole epoch where the run is a resumed one; returns times."""
    last = None
    if config.resume is not None:
        last = folder / "checkpoints" / "last.ckpt"
        loops = read_checkpoint(last, "resume")["loops"]["fit_loop"]
        seen = loops["epoch_loop.batch_progress"]["total"]["completed"]
        if trainer.is_global_zero:
            drop_rows_after(folder / "metrics.csv", seen)
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))
    began = time.perf_counter()
    try:
        trainer.fit(method, data, ckpt_path=last, weights_only=True)
    except SIGTERMException:  # by itself it would end in status 0
        sys.exit(128 + signal.SIGTERM)
    seconds = time.perf_counter() - began
    if trainer.num_training_batches == 0:
        raise InputError("not one batch was trained on: type trainer.limit_train_batches=1.0")
    pictures = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    pictures *= data.batch_size * trainer.world_size
    return {
        "epochs": trainer.current_epoch,
        "train_seconds": round(seconds, 1),
        "train_images_per_second": pictures / seconds if last is None else None,
    }
