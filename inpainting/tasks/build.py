"""From a composed configuration to the objects of a task: data, method, opponents, trainer."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from lightning import LightningDataModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from inpainting.callbacks.evaluation import Evaluation
from inpainting.errors import InputError
from inpainting.loggers.dashboard import Dashboard
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import load_weights
from inpainting.runs.folder import Run
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO
from inpainting.trainer.checks import check_devices, check_precision

# Lightning repeats these at every start; a user of a finished program has no use for them.
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
logging.getLogger("lightning.pytorch.profilers").setLevel(
    logging.INFO
)  # a table that was asked for
for message in (
    "Precision bf16-mixed is not supported by the model summary",
    ".*treespec, LeafSpec.*is deprecated",
    "The '.*_dataloader' does not have many workers",
    ".*infer the batch indices",  # photographs come one by one
    "It is recommended to use `self.log",  # validation's numbers are gathered already
    "Checkpoint directory .* exists and is not empty",  # a resumed run's
    "The number of training batches .* is smaller than the logging interval",
    "Found .* module.* in eval mode at the start of training",  # averaged weights, frozen networks
):
    warnings.filterwarnings("ignore", message)


def build(config: DictConfig) -> Any:
    """Instantiate with plain lists and dicts: OmegaConf's own types do not load with weights."""
    return instantiate(config, _convert_="all")


def build_method(model: DictConfig, config: DictConfig) -> Inpainter:
    """The method of a model configuration, in the memory format and compilation asked for."""
    method = build(model)
    if config.channels_last:
        method = method.to(memory_format=torch.channels_last)
    if config.compile:
        method.compile_networks()
    return method


def shrunk(model: DictConfig, small: DictConfig | None, typed: Sequence[str]) -> DictConfig:
    """A model with the settings that make it small, except where a setting was typed.

    Args:
        model: as composed
        small: the settings, by the model's own keys
        typed: overrides of the command line
    """
    smaller = OmegaConf.merge(model, small or {})
    for key in (text.lstrip("+").split("=")[0] for text in typed):
        if key.startswith("model."):
            own = key.removeprefix("model.")
            OmegaConf.update(smaller, own, OmegaConf.select(model, own))
    return smaller


def build_trainer(config: DictConfig) -> Trainer:
    """The trainer with the configured loggers and callbacks.

    Raises:
        InputError: see `check_devices` and `check_precision`; or Lightning's own sentence about an
            option that it does not know.
    """
    check_devices(config.trainer)
    check_precision(config.trainer.precision)
    if config.matmul_precision:
        torch.set_float32_matmul_precision(config.matmul_precision)
    callbacks = [build(one) for one in (config.callbacks or {}).values() if one is not None]
    if not config.trainer.enable_progress_bar:
        callbacks = [one for one in callbacks if not isinstance(one, ProgressBar)]
    loggers = [build(one) for one in (config.logger or {}).values() if one is not None]
    for logger in loggers:
        if isinstance(logger, Dashboard):
            for one in callbacks:
                logger.columns |= one.columns if isinstance(one, Evaluation) else {}
    try:
        return instantiate(
            config.trainer,
            callbacks=callbacks,
            logger=loggers or False,
            plugins=[AtomicCheckpointIO()],
            # Without a checkpoint or progress callback Lightning would add one of its own.
            enable_checkpointing=any(isinstance(one, Checkpoint) for one in callbacks),
            enable_progress_bar=any(isinstance(one, ProgressBar) for one in callbacks),
            _convert_="all",
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError | MisconfigurationException):
            raise InputError(f"trainer: {error.__cause__}") from error
        raise


def log_config(trainer: Trainer, config: dict[str, Any]) -> None:
    """Hand the resolved configuration to all loggers."""
    for logger in trainer.loggers:
        logger.log_hyperparams(config)


@dataclass(frozen=True)
class Opponent:
    """A method that another one is compared with, on the same images and holes."""

    name: str
    method: Inpainter


def build_opponents(config: DictConfig, data: LightningDataModule) -> list[Opponent]:
    """What `against` names, built before any long work.

    Raises:
        InputError: one is neither a run nor a model without training, does not fit the data's
            channels, or has the name of another one.
    """
    names = [config.against] if isinstance(config.against, str) else list(config.against)
    short = [Path(name).name for name in names]
    found = []
    for name, own in zip(names, short, strict=True):
        if short.count(own) > 1:
            raise InputError(f"against={names}: two are called {own}, copy one to another name")
        method = _run_method(name, config) if Path(name).is_dir() else _untrained(name, config)
        check_channels(method, data, f"against={name}")
        found.append(Opponent(own, method))
    return found


def _run_method(folder: str, config: DictConfig) -> Inpainter:
    run = Run.open(folder, "against")
    method = build_method(run.config.model, config)
    load_weights(method, run.checkpoint("best", "against"), "against")
    return method


def _untrained(name: str, config: DictConfig) -> Inpainter:
    """A model of conf/model that needs no training."""
    try:
        composed = compose("train", [f"model={name}"])
    except HydraException as error:
        raise InputError(
            f"against={name}: neither the folder of a run nor a model; "
            "type for instance against=[mean_fill,telea,navier_stokes]"
        ) from error
    composed.data = config.data  # models take channels and size from their data
    method = build_method(composed.model, config)
    if method.trained:
        raise InputError(f"against={name}: this model needs training; type the folder of its run")
    return method


def check_channels(method: Inpainter, data: LightningDataModule, name: str) -> None:
    """Refuse a method for images of other channels than the data's.

    Raises:
        InputError: names what to type.
    """
    if data.channels != method.channels:
        raise InputError(
            f"{name} fills images of {method.channels} channel(s), data.channels is "
            f"{data.channels}: type data.channels={method.channels}"
        )
