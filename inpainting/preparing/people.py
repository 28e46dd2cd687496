"""The stage that searches all photographs for people, and what it found."""

import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from inpainting.atomic import replacing
from inpainting.data.listing import Listing
from inpainting.detectors.base import Detector
from inpainting.images.files import read_shrunk
from inpainting.preparing.progress import stage
from inpainting.preparing.reading import CompactNames, ImageFiles, read_batches
from inpainting.preparing.shards import Shards

SHARD_BATCHES = 32  # a killed stage searches at most so many batches again


@dataclass(frozen=True)
class People:
    """The people found in each photograph of a data set.

    Attributes:
        starts: (N + 1,) int64; the people of photograph i are the rows starts[i] to starts[i + 1]
        boxes: (M, 5) float32, see `Detector.detect`
    """

    starts: np.ndarray
    boxes: np.ndarray

    def of(self, index: int) -> np.ndarray:
        """Return the people in one photograph, (n, 5) float32, the highest score first."""
        return self.boxes[self.starts[index] : self.starts[index + 1]]

    @property
    def scores(self) -> np.ndarray:
        """The highest score of each photograph, (N,) float32; 0 where nobody was found."""
        there = np.diff(self.starts) > 0
        scores = np.zeros(len(there), np.float32)
        scores[there] = self.boxes[self.starts[:-1][there], 0]
        return scores


def find_people(
    listing: Listing, folder: Path, detector: Detector, broken: Collection[int], workers: int
) -> People:
    """Search all photographs, except for those that were searched before.

    Args:
        listing: the image files
        folder: the work folder of these files and this detector
        detector: searches them in this process
        broken: indices of files that cannot be read
        workers: number of processes that read photographs for it
    """
    shards = Shards(folder, len(listing.files), SHARD_BATCHES * detector.batch_size)
    folder.mkdir(parents=True, exist_ok=True)
    missing = shards.missing(lambda shard: _read(shards, shard) is not None)
    done = shards.count - sum(len(shards.images(shard)) for shard in missing)
    read = partial(read_shrunk, longest=detector.image_size)
    files = ImageFiles(listing.root, CompactNames(listing.files), read, broken)
    results = read_batches(files, shards.batches(missing, detector.batch_size), workers)
    with stage("finding people", shards.count, done) as advance:
        for shard, batches in groupby(results, lambda batch: batch[0][0] // shards.size):
            found: list[np.ndarray] = []
            for indices, photographs in batches:
                readable = [one for one in photographs if not isinstance(one, str)]
                people = iter(detector.detect(readable) if readable else ())
                nobody = np.empty((0, 5), np.float32)
                found += [nobody if isinstance(one, str) else next(people) for one in photographs]
                advance(len(indices))
            counts = np.array([len(boxes) for boxes in found], np.int64)
            with replacing(shards.path(shard, "npz"), "wb") as file:
                np.savez(file, counts=counts, boxes=np.concatenate(found))
    parts = [_read(shards, shard) for shard in range(len(shards))]
    counts = np.concatenate([counts for counts, _ in parts])
    return People(np.cumsum([0, *counts]), np.concatenate([boxes for _, boxes in parts]))


def _read(shards: Shards, shard: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the counts and boxes of a shard, or None if its file is missing or damaged."""
    try:
        with np.load(shards.path(shard, "npz")) as file:
            return file["counts"], file["boxes"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
