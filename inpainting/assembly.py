"""From a composed configuration to data, method and trainer, and from a test to its result."""

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import LightningDataModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from inpainting.callbacks import Evaluation
from inpainting.checkpoints import AtomicCheckpointIO
from inpainting.dashboard import Dashboard
from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.pictures import ImageGrids
from inpainting.results import Result

# What Lightning says at every start is not for the user of a finished program.
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # an asked-for table
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
    """A model made small by its own settings for that, but for what was typed.

    Args:
        model: as composed
        small: its settings
        typed: overrides of the command line
    """
    smaller = OmegaConf.merge(model, small or {})
    for key in (text.lstrip("+").split("=")[0] for text in typed):
        if key.startswith("model."):
            own = key.removeprefix("model.")
            OmegaConf.update(smaller, own, OmegaConf.select(model, own))
    return smaller


def check_devices(trainer: DictConfig) -> None:
    """Refuse accelerators and devices that this machine lacks, and several without a strategy.

    Raises:
        InputError: names the key and what to type.
    """
    found = torch.cuda.device_count()
    on_gpu = trainer.accelerator in ("gpu", "cuda") or (trainer.accelerator == "auto" and found)
    if trainer.accelerator in ("gpu", "cuda") and found == 0:
        raise InputError(
            f"trainer.accelerator={trainer.accelerator}: this machine has no GPU that torch can "
            "use; type trainer=cpu"
        )
    devices = trainer.devices
    if isinstance(devices, str):
        if devices != "auto" and not all(one.strip("- ").isdigit() for one in devices.split(",")):
            raise InputError(f"trainer.devices={devices}: type a number, such as trainer.devices=2")
        devices = [int(number) for number in devices.split(",")] if devices != "auto" else found
    if isinstance(devices, Sequence):
        wanted, number = max(devices) + 1, len(devices)
    else:
        wanted = number = found if devices == -1 else devices
    if on_gpu and wanted > found:
        raise InputError(
            f"trainer.devices={trainer.devices}: this machine has {found} GPU(s); "
            f"type trainer.devices={found}"
        )
    if number > 1 and trainer.strategy == "auto":
        raise InputError(
            f"trainer.devices={trainer.devices}: several devices need trainer="
            f"{'ddp' if on_gpu else 'ddp_cpu'}, which knows that a phase of GLCIC leaves one "
            "network out"
        )


def check_precision(precision: str | int | None) -> None:
    """Refuse weights of half precision: small steps of training would round to nothing.

    Raises:
        InputError: names what to type.
    """
    kind = str(precision)
    if kind.endswith("-true") and kind.startswith(("16", "bf16")):
        raise InputError(
            f"trainer.precision={kind}: weights of 16 bits lose the small steps of an optimiser "
            f"and of averaging, type trainer.precision={kind.replace('true', 'mixed')}"
        )


def check_complete(config: DictConfig) -> None:
    """Refuse a configuration with a value that must be given and is not.

    Raises:
        InputError: names the key.
    """
    for key in sorted(OmegaConf.missing_keys(config)):
        raise InputError(f"{key} is missing: type {key}=VALUE")


def check_channels(method: Inpainter, data: LightningDataModule, name: str) -> None:
    """Refuse a method for pictures of other channels than the data's.

    Raises:
        InputError: names what to type.
    """
    if data.channels != method.channels:
        raise InputError(
            f"{name} fills pictures of {method.channels} channel(s), data.channels is "
            f"{data.channels}: type data.channels={method.channels}"
        )


def build_trainer(config: DictConfig) -> Trainer:
    """Trainer with the configured loggers and callbacks.

    Raises:
        InputError: see `check_devices` and `check_precision`; or what Lightning says of an option
            that it does not know.
    """
    check_devices(config.trainer)
    check_precision(config.trainer.precision)
    if config.matmul_precision:
        torch.set_float32_matmul_precision(config.matmul_precision)
    callbacks = [build(c) for c in (config.callbacks or {}).values() if c is not None]
    if not config.trainer.enable_progress_bar:
        callbacks = [one for one in callbacks if not isinstance(one, ProgressBar)]
    loggers = [build(c) for c in (config.logger or {}).values() if c is not None]
    columns = {
        k: v for one in callbacks if isinstance(one, Evaluation) for k, v in one.columns.items()
    }
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.columns = columns
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


def callback(trainer: Trainer, kind: type) -> Any:
    """The trainer's callback of a kind.

    Raises:
        InputError: it has none.
    """
    for one in trainer.callbacks:
        if isinstance(one, kind):
            return one
    raise InputError(f"callbacks has no {kind.__name__}: type callbacks=default")


@dataclass
class Tested:
    """A test's result and the pictures of it."""

    result: Result
    method: Inpainter
    shown: dict[str, torch.Tensor]


def test(trainer: Trainer, method: Inpainter, data: LightningDataModule, name: str) -> Tested:
    """Test a method; every number comes with the hash of the holes and pictures it was made on."""
    evaluation = callback(trainer, Evaluation)
    began = time.perf_counter()
    trainer.test(method, data, verbose=False)
    rows = evaluation.rows
    if not len(rows.get("index", ())):
        raise InputError("the test saw no picture: type trainer.limit_test_batches=1.0")
    facts = {
        "mask": str(data.mask),
        "mask_hash": data.mask_hash("test"),
        "eval_mask_seed": data.eval_mask_seed,
        "image_size": data.image_size,
        "test_seconds": round(time.perf_counter() - began, 3),
        "test_images_per_second": evaluation.images_per_second,
        "device": str(method.device),
        "precision": trainer.precision,
        "measured_with": sorted({name for one in evaluation.metrics for name in one.packages}),
        **method.facts(),
    }
    files = [data.file("test", int(index)) for index in rows["index"]]
    grids = [one for one in trainer.callbacks if isinstance(one, ImageGrids)]
    shown = dict(grids[0].shown) if grids else {}
    return Tested(
        Result(name, evaluation.columns, evaluation.summary, rows, files, facts), method, shown
    )
