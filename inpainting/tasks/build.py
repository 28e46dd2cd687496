"""From a composed configuration to the objects of a task: data, method, opponents, trainer."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from inpainting.callbacks.evaluation import Evaluation
from inpainting.errors import InputError
from inpainting.loggers.dashboard import Dashboard
from inpainting.methods.base import Inpainter
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
