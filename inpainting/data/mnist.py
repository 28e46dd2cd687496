"""MNIST: 60,000 + 10,000 handwritten digits of 28x28 (LeCun et al. 1998), labels 0 to 9."""

from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.data.digits import as_split
from inpainting.errors import InputError


class MNISTDataModule(InpaintingDataModule):
    """torchvision's MNIST, held as one array; its own test split, validation cut off by a seed.

    Args:
        root: torchvision's root: the files lie in root/MNIST/raw
        download: unpack the .gz files that lie there, or fetch them
        val_share: of the 60,000 training digits, for validation
        **kwargs: of `InpaintingDataModule`
    """

    def __init__(self, *, root: str | None, download: bool, val_share: float, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < val_share < 1:
            raise InputError(f"data.val_share={val_share}: type a share between 0 and 1")
        self.root, self.download, self.val_share = root, download, val_share

    def prepare_data(self) -> None:
        """Unpack or fetch, when asked to, and see that the files are there.

        Raises:
            InputError: they are not.
        """
        if self.root is None:
            raise InputError(
                "data.root is missing: type data.root=PATH, the folder that holds MNIST/raw, and "
                "data.download=true to fetch it"
            )
        self._read(train=True)

    def _read(self, train: bool) -> tuple[np.ndarray, np.ndarray]:
        from torchvision.datasets import MNIST

        try:
            digits = MNIST(self.root, train=train, download=self.download)
        except (RuntimeError, OSError, ValueError, AssertionError) as error:
            raw = Path(self.root) / "MNIST" / "raw"
            packed = sorted(path.name for path in raw.glob("*.gz"))
            todo = "type data.download=true, with a root that can be written to"
            reason = " ".join(str(error).split())
            if any(raw.glob("*-ubyte")):  # torchvision unpacks none that is there, however short
                todo = f"delete {raw}/*-ubyte, which were not written to their end, and {todo}"
            elif packed:
                reason = f"{raw} holds {', '.join(packed)} still packed"
            raise InputError(
                f"MNIST cannot be read from data.root={self.root} ({reason}): {todo}"
            ) from error
        return digits.data.numpy(), digits.targets.numpy().astype(np.int64)

    def read_split(self, name: str) -> Split:
        """The digits of a split, named by their place in the official files."""
        images, labels = self._read(train=name != "test")
        part = "test" if name == "test" else "train"
        order = np.arange(len(images))
        if name != "test":
            order = np.random.default_rng(self.split_seed).permutation(len(images))
            val = max(1, round(self.val_share * len(images)))
            order = order[:val] if name == "val" else order[val:]
        files = [f"{part}/{index}" for index in order]
        return as_split(images[order], files, labels[order], self.image_size, self.channels)
