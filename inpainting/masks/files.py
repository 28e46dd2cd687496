"""Holes read from mask files."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.images.algebra import resize
from inpainting.images.files import read_mask
from inpainting.images.listing import list_images
from inpainting.masks.drawing import uniform_inclusive


@dataclass(frozen=True)
class Files:
    """Masks from one file or a folder of files, one drawn at random for each image.

    The files are read once for each image size and kept as bytes on the device.

    Attributes:
        path: a mask file, or a folder that is searched recursively
        hole: the colour of the hole, "white" or "black"
        flip: mirror at random in both directions, which gives more masks than there are files
    """

    path: str
    hole: Literal["white", "black"] = "white"
    flip: bool = False

    def __post_init__(self) -> None:
        if self.hole not in ("white", "black"):
            raise InputError(f"mask.hole={self.hole}: type white or black, the colour of the hole")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw masks, (B, 1, H, W) float32 in [0, 1]."""
        bank = _read_bank(self, height, width, generator.device)  # (N, 1, H, W) uint8
        masks = bank[uniform_inclusive(0, len(bank) - 1, (batch_size,), generator)]
        if self.flip:
            for axis in (2, 3):
                mirrored = uniform_inclusive(0, 1, (batch_size, 1, 1, 1), generator) > 0
                masks = torch.where(mirrored, masks.flip(axis), masks)
        return masks.float() / 255


@lru_cache(maxsize=4)  # training and evaluation masks, on one or two devices
def _read_bank(kind: Files, height: int, width: int, device: torch.device) -> Tensor:
    """Read all masks of a `Files` kind, (N, 1, H, W) uint8 with 255 = hole."""
    files = [Path(kind.path)] if Path(kind.path).is_file() else list_images(kind.path)
    if not files:
        raise InputError(f"mask.path={kind.path} holds no image: type the path of the masks")
    bank = torch.empty(len(files), 1, height, width, dtype=torch.uint8)
    for row, file in zip(bank, files, strict=True):
        mask = read_mask(file, kind.hole)
        if ((mask == 0) | (mask == 1)).all():  # nearest-neighbour keeps a binary mask binary
            mask = F.interpolate(mask, (height, width), mode="nearest-exact")
        row.copy_((resize(mask, height, width) * 255).round()[0])
        if row.all():
            raise InputError(
                f"{file} has no known pixel at {height}x{width}: leave it out, or type "
                "mask.hole=black if black marks its hole"
            )
    if not bank.any():
        raise InputError(
            f"mask.path={kind.path}: no mask has a hole at {height}x{width}: type another path, or "
            f"mask.hole={'black' if kind.hole == 'white' else 'white'} if that is the hole's colour"
        )
    return bank.to(device)
