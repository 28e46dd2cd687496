"""MNIST: 60,000 + 10,000 handwritten digits of 28x28 px (LeCun et al. 1998), labels 0 to 9."""

from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.data.digits import as_split
from inpainting.errors import InputError
from inpainting.values import Share


class MNISTDataModule(InpaintingDataModule):
    """MNIST through torchvision, with the official test split, in memory.

    The validation split is drawn from the official training digits with `split_seed`.

    Args:
        root: the root folder of torchvision; the files lie in root/MNIST/raw
        download: unpack the .gz files found there, and download missing files
        val_share: share of the 60,000 training digits used for validation, in (0, 1)
        **kwargs: arguments of `InpaintingDataModule`

    Raises:
        InputError: `val_share` is not between 0 and 1.
    """

    def __init__(self, *, root: str | None, download: bool, val_share: Share, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < val_share < 1:
            raise InputError(f"data.val_share={val_share}: type a share above 0 and below 1")
        self.root, self.download, self.val_share = root, download, val_share

    def prepare_data(self) -> None:
        """Unpack or download the files if `download` is set, and check that they can be read.

        Raises:
            InputError: `root` is missing, or the files cannot be read.
        """
        if self.root is None:
            raise InputError(
                "data.root is missing: type data.root=PATH, the folder that holds MNIST/raw, and "
                "data.download=true to download the files"
            )
        self._read(train=True)

    def _read(self, train: bool) -> tuple[np.ndarray, np.ndarray]:
        """Read images (N, 28, 28) uint8 and labels (N,) int64 of an official part."""
        from torchvision.datasets import MNIST

        try:
            digits = MNIST(self.root, train=train, download=self.download)
        except (RuntimeError, OSError, ValueError, AssertionError) as error:
            raw = Path(self.root) / "MNIST" / "raw"
            packed = sorted(path.name for path in raw.glob("*.gz"))
            remedy = "type data.download=true, with a root that can be written to"
            reason = " ".join(str(error).split())
            if any(raw.glob("*-ubyte")):  # torchvision never replaces one, even a truncated one
                remedy = f"delete {raw}/*-ubyte, which are incomplete, and {remedy}"
            elif packed:
                reason = f"{raw} holds {', '.join(packed)}, which are still packed"
            raise InputError(
                f"MNIST cannot be read from data.root={self.root} ({reason}): {remedy}"
            ) from error
        return digits.data.numpy(), digits.targets.numpy().astype(np.int64)

    def read_split(self, name: str) -> Split:
        """Return the digits of a split, named by their position in the official files."""
        images, labels = self._read(train=name != "test")
        part = "test" if name == "test" else "train"
        order = np.arange(len(images))
        if name != "test":
            order = np.random.default_rng(self.split_seed).permutation(len(images))
            val = max(1, round(self.val_share * len(images)))
            order = order[:val] if name == "val" else order[val:]
        files = [f"{part}/{index}" for index in order]
        return as_split(images[order], files, labels[order], self.image_size, self.channels)
