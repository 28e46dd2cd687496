"""The objects that a task works with, all built from its configuration in one place."""

from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning import LightningDataModule, Trainer, seed_everything
from omegaconf import DictConfig

from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import checkpoint_path, load_weights
from inpainting.runs.folder import Run
from inpainting.runs.opening import open_run
from inpainting.runs.record import Record
from inpainting.tasks.asking import ask
from inpainting.tasks.build import build, build_method, build_trainer, shrink
from inpainting.tasks.checks import check_attributes, check_channels
from inpainting.tasks.opponents import Opponent, build_opponents
from inpainting.tasks.tokenizer import settle_tokenizer


@dataclass(frozen=True)
class Parts:
    """The objects that a task works with, built before any long work.

    Args:
        name: of the method, in tables
        method: with its weights, if it has any before the task starts
        data: the data that the method is trained or tested on
        opponents: the methods that it is compared with
        trainer: with callbacks and loggers
        record: the configuration, as it is stored in the run's folder
    """

    name: str
    method: Inpainter
    data: LightningDataModule
    opponents: list[Opponent]
    trainer: Trainer
    record: Record

    def log_config(self) -> None:
        """Pass the configuration to all loggers."""
        for logger in self.trainer.loggers:
            logger.log_hyperparams(self.record.config)


def build_parts(config: DictConfig, folder: Path) -> Parts:
    """Build everything that a training or an evaluation needs.

    Args:
        config: composed by `train` or `evaluate`
        folder: of the run

    Raises:
        InputError: a value is missing, or one of the parts cannot be built or does not fit another.
    """
    seed_everything(config.seed, workers=True, verbose=False)
    if "run" in config:  # a key of `evaluate`, not of `train`
        method, name = method_of_run(config)
    else:
        method, name = method_to_train(config, folder), config.name
    data = build(config.data)
    check_channels(method, data, name)
    check_attributes(method, data, name)
    ask(method, name, config.get("attributes", {}), config.edit)
    opponents = build_opponents(config, data)
    trainer = build_trainer(config)
    return Parts(name, method, data, opponents, trainer, Record.of(config, folder))


def method_to_train(config: DictConfig, folder: Path) -> Inpainter:
    """Build the composed method, with the weights of `init_from` if that is typed.

    Raises:
        InputError: the weights do not fit, or those of a resumed run depend on other settings.
    """
    if config.shrink:
        shrink(config, HydraConfig.get().overrides.task)
    settle_tokenizer(config)
    if config.resume is not None:
        Run(folder).check_network(config.model)
    method = build_method(config.model, config)
    if config.init_from is not None:
        path = checkpoint_path(config.init_from, "init_from")
        # An average that starts anew forgets its random start within a few steps.
        load_weights(method, path, "init_from", (*method.only_trains, "average"))
    return method


def method_of_run(config: DictConfig) -> tuple[Inpainter, str]:
    """Build the method of `run`, with its weights and the typed `model.…` overrides.

    Without a run, the composed model is built, which must need no training.

    Returns:
        the method and its name

    Raises:
        InputError: there is no run and the model needs training, the run has no such checkpoint,
            or its weights do not fit the typed overrides.
    """
    if config.run is None:
        method = build_method(config.model, config)
        if method.trained:
            raise InputError(
                f"model={config.name} needs training: type run=FOLDER, the folder of its run"
            )
        return method, config.name
    run = open_run(config.run)
    # The configuration is written beside the numbers, so it must hold the model that is measured.
    config.model = run.model_config(HydraConfig.get().overrides.task, config)
    method = build_method(config.model, config)
    load_weights(method, run.checkpoint(config.checkpoint), "run")
    return method, str(run.config.name)
