"""Instantiates parts of a composed configuration, such as the method and the trainer."""

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
from inpainting.callbacks.network_summary import NetworkSummary
from inpainting.callbacks.signal_handlers import SignalHandlers
from inpainting.errors import InputError
from inpainting.loggers.dashboard import Dashboard
from inpainting.methods.base import Inpainter
from inpainting.runs.settings import flat
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO
from inpainting.trainer.checks import check_devices

# Lightning prints these messages at every start, and the user can do nothing about them.
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
# The profiler logs its table, which the user asked for, at level INFO.
logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)
for message in (
    "Precision bf16-mixed is not supported by the model summary",
    ".*treespec, LeafSpec.*is deprecated",
    "The '.*_dataloader' does not have many workers",
    ".*infer the batch indices",  # predict reads images one at a time
    "It is recommended to use `self.log",  # `Evaluation` gathers the processes' numbers itself
    "Checkpoint directory .* exists and is not empty",  # true of every resumed run
    "The number of training batches .* is smaller than the logging interval",
    "Found .* module.* in eval mode at the start of training",  # averaged and frozen networks
    "You're resuming from a checkpoint that ended before the epoch ended",  # see `data.order`
):
    warnings.filterwarnings("ignore", message)


def build(config: DictConfig) -> Any:
    """Instantiate with plain lists and dicts: `weights_only` loading refuses OmegaConf's types."""
    return instantiate(config, _convert_="all")


def build_method(model: DictConfig, config: DictConfig) -> Inpainter:
    """Build the method of a model, with the configured memory format and compilation."""
    method = build(model)
    if config.channels_last:
        method = method.to(memory_format=torch.channels_last)
    if config.compile:
        method.compile_networks()
    return method


def shrink(config: DictConfig, typed: Sequence[str]) -> None:
    """Set the values of `small`, which make the model small, except those that were typed.

    Args:
        config: the composed configuration
        typed: overrides of the command line
    """
    keys = [text.lstrip("+").split("=")[0] for text in typed]
    keys = [key for key in keys if "." in key]  # model=NAME chooses an option and sets no value
    small = OmegaConf.to_container(config.small) if config.small else {}
    for key, value in flat(small).items():
        if key and not any(key == own or key.startswith(f"{own}.") for own in keys):
            OmegaConf.update(config, key, value)


def build_trainer(config: DictConfig) -> Trainer:
    """Build the trainer with the configured loggers and callbacks.

    Raises:
        InputError: see `check_devices`; an option that Lightning does not know is named by
            Lightning's own sentence.
    """
    check_devices(config.trainer)
    if config.matmul_precision:
        torch.set_float32_matmul_precision(config.matmul_precision)
    callbacks = [build(part) for part in (config.callbacks or {}).values() if part is not None]
    if not config.trainer.enable_progress_bar:
        callbacks = [part for part in callbacks if not isinstance(part, ProgressBar)]
    if config.trainer.enable_model_summary:  # Lightning adds its own where there is none
        callbacks.append(NetworkSummary())
    loggers = [build(part) for part in (config.logger or {}).values() if part is not None]
    for logger in loggers:
        if isinstance(logger, Dashboard):
            for callback in callbacks:
                logger.columns |= callback.columns if isinstance(callback, Evaluation) else {}
    try:
        return instantiate(
            config.trainer,
            callbacks=[SignalHandlers(), *callbacks],
            logger=loggers or False,
            plugins=[AtomicCheckpointIO()],
            # Without a checkpoint or progress callback Lightning would add one of its own.
            enable_checkpointing=any(isinstance(part, Checkpoint) for part in callbacks),
            enable_progress_bar=any(isinstance(part, ProgressBar) for part in callbacks),
            _convert_="all",
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError | MisconfigurationException):
            raise InputError(f"trainer: {error.__cause__}") from error
        raise
