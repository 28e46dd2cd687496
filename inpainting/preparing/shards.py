"""The work folder of a stage: its results in shards, each written whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shards:
    """Equal parts of a data set's files, in their order; a killed stage loses one at most.

    Attributes:
        folder: which holds the files of all shards
        count: number of images in all shards together
        size: number of images in a shard; the last one may have fewer
    """

    folder: Path
    count: int
    size: int

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-self.count // self.size)

    def images(self, shard: int) -> range:
        """Return the indices of the images of a shard."""
        return range(shard * self.size, min((shard + 1) * self.size, self.count))

    def path(self, shard: int, suffix: str) -> Path:
        """Return the path of a shard's file."""
        return self.folder / f"{shard:05d}.{suffix}"

    def missing(self, whole: Callable[[int], bool]) -> list[int]:
        """Return the shards that are still to be made.

        Args:
            whole: says of a shard whether its files are there and undamaged
        """
        return [shard for shard in range(len(self)) if not whole(shard)]

    def batches(self, shards: list[int], batch_size: int) -> list[range]:
        """Return the images of some shards in batches; no batch spans two shards."""
        return [
            images[start : start + batch_size]
            for images in map(self.images, shards)
            for start in range(0, len(images), batch_size)
        ]
