"""Rows of a memory-mapped array, asked of the disk before they are read."""

import mmap
from contextlib import suppress

import numpy as np

from inpainting.data.joined import JoinedArrays

WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)  # not on Windows


def read_ahead(images: np.ndarray | JoinedArrays, rows: np.ndarray) -> None:
    """Let the system read rows of an array from the disk, all of them at once.

    Otherwise it would read one after another when they are touched, and with each its neighbours
    too, because it expects those to be touched next: for rows at random, forty times as much.
    Rows that are in memory stay there, and for an array in memory nothing is done.

    Args:
        images: (N, ...), in memory or memory-mapped, in one or several files
        rows: (B,) int64, from 0 to N - 1
    """
    if isinstance(images, JoinedArrays):
        for part, start in zip(images.parts, images.starts, strict=False):
            within = rows - start
            read_ahead(part, within[(within >= 0) & (within < len(part))])
    elif WILL_NEED is not None and isinstance(images.base, mmap.mmap):
        size = images.strides[0]
        # The array begins within the first page of the map; advice is given on whole pages.
        starts = images.offset % mmap.ALLOCATIONGRANULARITY + rows * size
        pages = starts - starts % mmap.PAGESIZE
        lengths = starts + size - pages
        for page, length in zip(pages.tolist(), lengths.tolist(), strict=True):
            with suppress(OSError):  # it is advice alone
                images.base.madvise(WILL_NEED, page, length)
