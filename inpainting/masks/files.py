"""Holes read from mask images."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpainting.errors import InputError
from inpainting.images.algebra import resize
from inpainting.images.files import list_images, read_mask
from inpainting.masks.drawing import uniform_inclusive


@dataclass(frozen=True)
class Files:
    """Mask images of a file or a folder, one drawn at random for each sample.

    They are read once for each image size and kept as bytes on the device.

    Attributes:
        path: an image, or a folder that is searched recursively
        hole: the colour of the hole, white or black
        flip: mirror at random in both directions, for more masks than there are files
    """

    path: str
    hole: str = "white"
    flip: bool = False

    def __post_init__(self) -> None:
        if self.hole not in ("white", "black"):
            raise InputError(f"mask.hole={self.hole}: type white or black, the colour of the hole")

    def __call__(self, batch_size: int, height: int, width: int, generator: Generator) -> Tensor:
        """Draw the holes, (B, 1, H, W)."""
        bank = _read_bank(self, height, width, generator.device)  # (N, 1, H, W) uint8
        masks = bank[uniform_inclusive(0, len(bank) - 1, (batch_size,), generator)]
        if self.flip:
            for side in (2, 3):
                turned = uniform_inclusive(0, 1, (batch_size, 1, 1, 1), generator) > 0
                masks = torch.where(turned, masks.flip(side), masks)
        return masks.float() / 255


@lru_cache(maxsize=4)  # training and evaluation, on one or two devices
def _read_bank(kind: Files, height: int, width: int, device: torch.device) -> Tensor:
    """All masks of a `Files`, (N, 1, H, W) uint8 with 255 = hole."""
    files = [Path(kind.path)] if Path(kind.path).is_file() else list_images(kind.path)
    if not files:
        raise InputError(f"mask.path={kind.path} holds no image: type the folder of the masks")
    bank = torch.empty(len(files), 1, height, width, dtype=torch.uint8)
    for row, file in zip(bank, files, strict=True):
        mask = read_mask(file, kind.hole)
        if ((mask == 0) | (mask == 1)).all():  # stays two-valued
            mask = F.interpolate(mask, (height, width), mode="nearest-exact")
        row.copy_((resize(mask, height, width) * 255).round()[0])
        if row.all():
            raise InputError(
                f"{file} has no known pixel at {height}x{width}: leave it out, or type "
                "mask.hole=black if black marks its hole"
            )
    return bank.to(device)
