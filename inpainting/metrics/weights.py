"""Loading of the networks that metrics measure with, from a file or a download."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from inpainting.errors import InputError

BROKEN = (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError)

log = logging.getLogger(__name__)


def check_path(key: str, path: str | None) -> None:
    """Refuse a path of weights that is not a file.

    Raises:
        InputError: the path is not a file; the message names the key.
    """
    if path and not Path(path).is_file():
        raise InputError(
            f"{key}={path} is not a file: type the path of the weights, or {key}=null and "
            f"{key.rpartition('.')[0]}.download=true"
        )


@contextmanager
def building(path: str | None) -> Iterator[None]:
    """Build a network in the block, without drawing from the random numbers of the training.

    A failed download is logged as a warning, so that a training that ends with a test does not end
    with an error: the block is left early, and the network stays unset.

    Raises:
        InputError: the file at `path` is broken or holds other weights.
    """
    try:
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            yield
    except BROKEN as error:
        if path is None:
            log.warning("metric left out because the download of its weights failed: %s", error)
            return
        raise InputError(
            f"{path} does not contain the weights of this metric: fetch the file again, or type "
            "null for its metrics key"
        ) from error


def to_colour(image: Tensor) -> Tensor:
    """Convert (B, 1 or 3, H, W) to (B, 3, H, W) by repeating a single channel."""
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
