"""Checks made before a training or a test starts, of what would make it fail later."""

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


def check_size(method: Inpainter, data: LightningDataModule, name: str) -> None:
    """Refuse to train on images of a size that the network cannot take.

    Raises:
        InputError: names what to type.
    """
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


def check_stored(data: LightningDataModule, learner: str) -> None:
    """Refuse images that are stored larger than they are used, for what learns from stored ones.

    Args:
        data: the data module
        learner: what learns, for the message

    Raises:
        InputError: names what to type.
    """
    if data.stored_size != data.image_size:
        raise InputError(
            f"data.decoded_size={data.stored_size}: {learner} learns from stored images, so "
            "these must have the size of all others: type data.decoded_size=null"
        )
