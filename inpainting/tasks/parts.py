"""Everything that a task needs, built from its configuration in one place."""

from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning import LightningDataModule, Trainer, seed_everything
from omegaconf import DictConfig

from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import checkpoint_path, load_weights
from inpainting.runs.folder import Record, Run
from inpainting.tasks.build import build, build_method, build_trainer, shrunk
from inpainting.tasks.checks import check_channels, check_complete
from inpainting.tasks.opponents import Opponent, build_opponents


@dataclass(frozen=True)
class Parts:
    """What a task works with, built from its configuration before any long work.

    Args:
        name: of the method, in tables
        method: with its weights, where it has some already
        data: what it is trained or tested on
        opponents: what it is compared with
        trainer: with its callbacks and loggers
        record: the configuration, as the run's folder keeps it
    """

    name: str
    method: Inpainter
    data: LightningDataModule
    opponents: list[Opponent]
    trainer: Trainer
    record: Record

    def log_config(self) -> None:
        """Hand the configuration to all loggers."""
        for logger in self.trainer.loggers:
            logger.log_hyperparams(self.record.config)


def build_parts(config: DictConfig, folder: Path) -> Parts:
    """Everything that a training or an evaluation needs, in the run's folder.

    Raises:
        InputError: a value is missing, or one of the parts cannot be built or does not fit another.
    """
    check_complete(config)
    seed_everything(config.seed, workers=True, verbose=False)
    if "run" in config:  # an evaluation's
        method, name = method_of_run(config)
    else:
        method, name = method_to_train(config, folder), config.name
    data = build(config.data)
    check_channels(method, data, name)
    opponents = build_opponents(config, data)
    trainer = build_trainer(config)
    return Parts(name, method, data, opponents, trainer, Record.of(config, folder))


def method_to_train(config: DictConfig, folder: Path) -> Inpainter:
    """The composed method, with the weights of `init_from` if that is typed.

    Raises:
        InputError: the weights do not fit, or a resumed run's are bound to other settings.
    """
    if config.shrink:
        config.model = shrunk(config.model, config.small, HydraConfig.get().overrides.task)
    if config.resume is not None:
        Run(folder).check_network(config.model)
    method = build_method(config.model, config)
    if config.init_from is not None:
        load_weights(method, checkpoint_path(config.init_from, "init_from"), "init_from")
    return method


def method_of_run(config: DictConfig) -> tuple[Inpainter, str]:
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
