"""Networks that measure, with weights from a file or a download."""

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
    """Refuse a path of weights where nothing is.

    Raises:
        InputError: names the key.
    """
    if path and not Path(path).is_file():
        raise InputError(
            f"{key}={path} is not a file: type the path of the weights, or null and "
            f"{key.rpartition('.')[0]}.download=true"
        )


@contextmanager
def building(path: str | None) -> Iterator[None]:
    """Build a network without drawing from training's random numbers, and say what goes wrong.

    A broken file is an `InputError`. A failed download is a warning, so that a training which ends
    in a test does not end in an error: the block is left, and what it was to build stays unset.
    """
    try:
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            yield
    except BROKEN as error:
        if path is None:
            log.warning("left out, as the download of its weights failed: %s", error)
            return
        raise InputError(
            f"{path} does not hold the weights that it should: fetch it again, or leave the "
            "metrics key null"
        ) from error


def to_colour(image: Tensor) -> Tensor:
    """(B, 1 or 3, H, W) to (B, 3, H, W)."""
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
