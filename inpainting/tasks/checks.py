"""Checks made before a training or a test starts, of what would make it fail later."""

from collections.abc import Mapping
from typing import Any

from lightning import LightningDataModule

from inpainting.errors import InputError
from inpainting.methods.base import Inpainter


def check_channels(method: Inpainter, data: LightningDataModule, name: str) -> None:
    """Refuse a method that takes images with another number of channels than the data has.

    Raises:
        InputError: names what to type.
    """
    if data.channels != method.channels:
        raise InputError(
            f"{name} fills images of {method.channels} channel(s), but data.channels is "
            f"{data.channels}: type data.channels={method.channels}"
        )


def check_attributes(method: Inpainter, data: LightningDataModule, name: str) -> None:
    """Refuse data that tells a method other attributes than it was trained with.

    Raises:
        InputError: names what to type.
    """
    names = method.attributes.names
    told = [name.lower() for name in data.attributes]
    if names and told and told != [name.lower() for name in names]:
        raise InputError(
            f"{name} is told the attributes [{','.join(names)}], but data.attributes is "
            f"[{','.join(data.attributes)}]: type data.attributes=[{','.join(names)}]"
        )


def check_training(
    trainer: Mapping[str, Any], name: str, method: Inpainter, data: LightningDataModule
) -> None:
    """Refuse a training that would train nothing or fail at its first batch.

    Args:
        trainer: the trainer's settings
        name: of the model, for messages
        method: the method to train
        data: the data to train on

    Raises:
        InputError: names the key.
    """
    for key in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "max_epochs"):
        if trainer[key] == 0:
            raise InputError(
                f"trainer.{key}=0 leaves nothing to train, validate or test: "
                f"type trainer.{key}=1 or more"
            )
    epochs = trainer["max_epochs"]
    if epochs is None or epochs < 0:
        raise InputError(
            f"trainer.max_epochs={epochs}: phases and learning rates depend on how much of the "
            "training is done; type a number of epochs, and use trainer.max_time to stop earlier"
        )
    size, multiple = data.image_size, method.size_multiple
    if size % multiple:
        raise InputError(
            f"data.image_size={size}: model={name} trains on images whose side is a multiple of "
            f"{multiple} px; type data.image_size={size + -size % multiple}"
        )
    if not method.fits(size, size):
        raise InputError(
            f"data.image_size={size}: the network of model={name} takes only images of "
            f"model.fixed_size={method.fixed_size} px; type data.image_size={method.fixed_size}"
        )
