"""A whole training: fit, test the best checkpoint, compare, write the run's folder."""

import logging
import signal
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from omegaconf import DictConfig

from inpainting import assembly
from inpainting.checkpoints import Clock
from inpainting.comparison import build_opponents, test_against
from inpainting.dashboard import finished, log_test
from inpainting.errors import InputError
from inpainting.loggers import drop_rows_after, log_config
from inpainting.methods.base import Inpainter
from inpainting.results import announce
from inpainting.runs import Run, checkpoint_path, load_weights, read_checkpoint, write_config

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
    assembly.check_complete(config)
    if config.shrink:
        typed = HydraConfig.get().overrides.task
        config.model = assembly.shrunk(config.model, config.small, typed)
    if config.resume is not None:
        Run(folder).check_network(config.model)
    seed_everything(config.seed, workers=True, verbose=False)
    data = assembly.build(config.data)
    method = assembly.build_method(config.model, config)
    if config.init_from is not None:
        load_weights(method, checkpoint_path(config.init_from, "init_from"), "init_from")
    opponents = build_opponents(config, data)
    trainer = assembly.build_trainer(config)
    facts, best = {"seed": config.seed}, None
    if method.trained:
        check_training(config, method, data)
        facts |= fit(trainer, method, data, config, folder, clock)
        best = load_best(trainer, method)
        facts |= {"monitor": config.monitor, "best": best}
    else:
        log_config(trainer, config)
    tested = assembly.test(trainer, method, data, config.name)
    tested.result.facts |= facts | {"wall_seconds": round(clock.seconds("wall"), 1)}
    results = test_against(trainer, tested, data, opponents, folder)
    if trainer.is_global_zero:
        write_config(config, folder)
        tested.result.write(folder)  # last: a run with metrics.json is finished
        log_test(trainer, tested.result, folder)
        announce(results, folder)
    return best


def check_training(config: DictConfig, method: Inpainter, data: object) -> None:
    """Refuse what would fail within a training, or train nothing.

    Raises:
        InputError: names the key.
    """
    for key in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "max_epochs"):
        if config.trainer[key] == 0:
            raise InputError(
                f"trainer.{key}=0 leaves nothing to train on, to choose the best by "
                f"or to test: type trainer.{key}=1 or more"
            )
    if config.trainer.max_epochs is None or config.trainer.max_epochs < 0:
        raise InputError(
            f"trainer.max_epochs={config.trainer.max_epochs}: phases and learning rates follow the "
            "share of the training that is done, so type a number; trainer.max_time ends it sooner"
        )
    multiple = method.size_multiple
    if data.image_size % multiple:
        above = data.image_size + -data.image_size % multiple
        raise InputError(
            f"data.image_size={data.image_size}: model={config.name} trains on pictures whose side "
            f"is a multiple of {multiple} px, type data.image_size={above}"
        )

    if not method.fits(data.image_size, data.image_size):
        raise InputError(
            f"data.image_size={data.image_size}: the network of model={config.name} takes pictures "
            f"of model.fixed_size={method.fixed_size} px alone, type data.image_size="
            f"{method.fixed_size}"
        )


def load_best(trainer: Trainer, method: Inpainter) -> float | None:
    """Put the best weights into the method; its score. Without such a callback the last stay."""
    for one in trainer.checkpoint_callbacks:
        if isinstance(one, ModelCheckpoint):
            if not Path(one.best_model_path).is_file():
                log.warning("no validation was saved as the best: the last weights are tested")
                return None
            load_weights(method, Path(one.best_model_path), "callbacks.best")
            return None if one.best_model_score is None else float(one.best_model_score)
    return None


def fit(
    trainer: Trainer,
    method: Inpainter,
    data: object,
    config: DictConfig,
    folder: Path,
    clock: Clock,
) -> dict[str, float]:
    """Fit, from the last whole epoch where the run is a resumed one; returns times."""
    last = None
    if config.resume is not None:
        last = folder / "checkpoints" / "last.ckpt"
        load_weights(method, last, "resume")  # refused before anything is changed
        loops = read_checkpoint(last, "resume")["loops"]["fit_loop"]
        seen = loops["epoch_loop.batch_progress"]["total"]["completed"]
        if trainer.is_global_zero:
            drop_rows_after(folder / "metrics.csv", seen)
    log_config(trainer, config)
    if trainer.is_global_zero:
        # Not earlier: a training that was refused must leave nothing that looks like a run, and a
        # resumed one its folder as it was.
        start = LambdaCallback(on_train_start=lambda *_: write_config(config, folder))
        trainer.callbacks.insert(0, start)
    trainer.callbacks.append(clock)
    clock.start("train")
    try:
        trainer.fit(method, data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:  # it lacks a loader, or a share of one is no batch
        raise InputError(f"trainer: {error}") from error
    except SIGTERMException:  # by itself it would end in status 0
        sys.exit(128 + signal.SIGTERM)
    seconds = clock.seconds("train")
    pictures = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    pictures *= data.batch_size * trainer.world_size
    return {
        "epochs": trainer.current_epoch,
        "train_seconds": round(seconds, 1),
        "train_images_per_second": pictures / seconds if last is None else None,
    }
