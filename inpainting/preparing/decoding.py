"""The stage that decodes all images of a data set and shrinks them to squares."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from inpainting.atomic import replacing, write_json
from inpainting.data.listing import Listing
from inpainting.errors import InputError
from inpainting.images.files import read_uint8
from inpainting.preparing.progress import stage
from inpainting.preparing.reading import CompactNames, ImageFiles, read_batches
from inpainting.preparing.shards import Shards

BATCH = 64  # images that travel from one process to another at a time
SHARD, SHARD_BYTES = 4096, 1 << 26  # largest shard: in images, and of arrays in memory
BLOCK_BYTES = 1 << 27  # of images that are read from shards in the order of the disk
HEADER = 128  # bytes before the array in a file of NumPy, for a shape as short as ours


@dataclass(frozen=True)
class Decoded:
    """The decoded images of a data set, in shards.

    Attributes:
        shards: the work folder
        shape: height, width and channels of an image
        broken: for each file that cannot be read, its index and why
    """

    shards: Shards
    shape: tuple[int, int, int]
    broken: dict[int, str]

    def read(self, order: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
        """Yield images, (H, W, C) uint8, in any order.

        They are read in blocks, each in the order of the disk. Nothing is memory-mapped, so the
        memory of this process stays below a block.
        """
        each = max(1, BLOCK_BYTES // int(np.prod(self.shape)))
        for start in range(0, len(order), each):
            yield from self._block(np.asarray(order[start : start + each]))

    def _block(self, order: np.ndarray) -> np.ndarray:
        size = int(np.prod(self.shape))
        block = np.empty((len(order), *self.shape), np.uint8)
        places = np.argsort(order, kind="stable")
        shards = order[places] // self.shards.size
        starts = np.flatnonzero(np.diff(shards, prepend=-1))
        for start, stop in pairwise([*starts.tolist(), len(order)]):
            path = self.shards.path(int(shards[start]), "npy")
            with open(path, "rb") as file:
                for place in places[start:stop]:
                    file.seek(HEADER + int(order[place] % self.shards.size) * size)
                    if file.readinto(block[place].data) != size:
                        raise InputError(f"{path} is damaged: delete it and type the command again")
        return block


def decode_images(
    listing: Listing, folder: Path, channels: int, side: int, on_error: str, workers: int
) -> Decoded:
    """Decode all files into shards, except for those that are there from before.

    Args:
        listing: the image files
        folder: the work folder of these files and this size
        channels: 1 (grey) or 3 (RGB)
        side: of the square images, in pixels
        on_error: "stop" at a file that cannot be read, or "skip" such files
        workers: number of decoding processes; 0 decodes in this one

    Raises:
        InputError: a file is broken, and `on_error` is "stop".
    """
    shape = (side, side, channels)
    size = max(1, min(SHARD, SHARD_BYTES // int(np.prod(shape))))
    shards = Shards(folder, len(listing.files), size)
    folder.mkdir(parents=True, exist_ok=True)
    missing = shards.missing(partial(_is_whole, shards, shape))
    done = shards.count - sum(len(shards.images(shard)) for shard in missing)
    read = partial(read_uint8, channels=channels, side=side, window=listing.window)
    files = ImageFiles(listing.root, CompactNames(listing.files), read)
    results = read_batches(files, shards.batches(missing, BATCH), workers)
    with stage("decoding", shards.count, done) as advance:
        for shard, batches in groupby(results, lambda batch: batch[0][0] // size):
            images = np.zeros((len(shards.images(shard)), *shape), np.uint8)
            broken = {}
            for indices, arrays in batches:
                for index, array in zip(indices, arrays, strict=True):
                    if isinstance(array, str):
                        broken[index] = array
                        if on_error == "stop":
                            raise InputError(f"{array}; type data.on_error=skip to skip such files")
                    else:
                        images[index % size] = array
                advance(len(indices))
            with replacing(shards.path(shard, "npy"), "wb") as file:
                np.save(file, images)
            write_json(shards.path(shard, "json"), {str(k): v for k, v in broken.items()})
    broken = {}
    for shard in range(len(shards)):
        noted = json.loads(shards.path(shard, "json").read_text())
        broken |= {int(index): reason for index, reason in noted.items()}
    if broken and on_error == "stop":  # they were skipped when this folder was made
        reason = next(iter(broken.values()))
        raise InputError(f"{reason}; type data.on_error=skip to skip such files")
    return Decoded(shards, shape, broken)


def _is_whole(shards: Shards, shape: tuple[int, int, int], shard: int) -> bool:
    """Return True if a shard's array has its full length, and the list of broken files is there."""
    try:
        length = os.stat(shards.path(shard, "npy")).st_size
        json.loads(shards.path(shard, "json").read_text())  # written after the array
    except (OSError, ValueError):
        return False
    return length == HEADER + len(shards.images(shard)) * int(np.prod(shape))
