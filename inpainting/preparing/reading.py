"""Image files read by several processes at once, in order."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from inpainting.errors import InputError

AHEAD = 4  # batches that each process reads ahead


class CompactNames:
    """Strings in one block of memory.

    Processes that are forked share it. They would copy a list of a million strings, because Python
    counts references inside the strings.

    Args:
        names: file names, as Python's os module returns them
    """

    def __init__(self, names: Sequence[str]):
        encoded = [name.encode(errors="surrogateescape") for name in names]
        self.block = b"".join(encoded)
        self.ends = np.cumsum([0, *map(len, encoded)])

    def __len__(self) -> int:
        """Return the number of strings."""
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> str:
        """Return one string."""
        part = self.block[self.ends[index] : self.ends[index + 1]]
        return part.decode(errors="surrogateescape")


class ImageFiles(Dataset):
    """Files that are read in batches.

    Args:
        root: the folder that the names are relative to
        names: of the files
        read: maps a path to an array; may raise `InputError`
        skipped: indices of files that are known to be broken, which are not read again
    """

    def __init__(
        self,
        root: Path,
        names: CompactNames,
        read: Callable[[str], np.ndarray],
        skipped: Collection[int] = (),
    ):
        self.root, self.names, self.read, self.skipped = root, names, read, skipped

    def __getitems__(self, indices: range) -> tuple[range, list[np.ndarray | str]]:
        """Return the indices, and for each file its array, or why it cannot be read."""
        return indices, [self._attempt(index) for index in indices]

    def _attempt(self, index: int) -> np.ndarray | str:
        if index in self.skipped:
            return "broken"
        try:
            return self.read(f"{self.root}/{self.names[index]}")
        except InputError as error:
            return str(error)


def _as_read(batch: tuple) -> tuple:
    return batch


def read_batches(
    files: ImageFiles, batches: list[range], workers: int
) -> Iterator[tuple[range, list[np.ndarray | str]]]:
    """Yield batches of files in order, read by `workers` processes, or by this one if that is 0."""
    yield from DataLoader(
        files,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_read,
        generator=torch.Generator(),  # leaves the global one alone
        prefetch_factor=AHEAD if workers else None,
    )
