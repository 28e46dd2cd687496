"""Rows of a memory-mapped array are brought from the disk at once, and nothing else is."""

import ctypes
import mmap
import os
import time
from pathlib import Path

import numpy as np
import pytest

from inpainting.data import ahead
from inpainting.data.ahead import read_ahead
from inpainting.data.arrays import Split
from inpainting.data.dataset import ImageDataset
from inpainting.data.joined import JoinedArrays

COUNT, SHAPE = 2000, (64, 64, 3)
ROWS = np.array([1900, 3, 777, 3, 1200])


def resident(array: np.memmap) -> np.ndarray:
    """Which pages of a file are in memory, whether this process has touched them or not."""
    length = array.offset + array.nbytes
    pages = np.zeros(-(-length // mmap.PAGESIZE), np.uint8)
    address = ctypes.c_void_p(array.ctypes.data - array.offset)
    libc = ctypes.CDLL(None, use_errno=True)
    assert (
        libc.mincore(address, ctypes.c_size_t(length), pages.ctypes.data_as(ctypes.c_void_p)) == 0
    )
    return pages & 1 > 0


def cold(path: Path, count: int = COUNT) -> np.memmap:
    """An array on disk that nothing of is in memory."""
    images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)
    np.save(path, images)
    array = np.load(path, mmap_mode="r")
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    return array


@pytest.mark.skipif(ahead.WILL_NEED is None, reason="needs madvise")
def test_the_rows_of_a_batch_are_read_before_they_are_touched(tmp_path: Path) -> None:
    array = cold(tmp_path / "a.npy")
    if resident(array).any():
        pytest.skip("this file system keeps files in memory")
    size = array[0].nbytes
    read_ahead(array, ROWS)
    pages = {
        page
        for row in ROWS
        for page in range(
            (128 + row * size) // mmap.PAGESIZE, (127 + (row + 1) * size) // mmap.PAGESIZE + 1
        )
    }
    end = time.monotonic() + 10
    while set(np.flatnonzero(resident(array)).tolist()) != pages and time.monotonic() < end:
        time.sleep(0.01)
    assert set(np.flatnonzero(resident(array)).tolist()) == pages


def test_a_batch_has_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    arrays = [cold(tmp_path / f"{number}.npy", 10) for number in range(3)]
    whole = np.concatenate(arrays)
    order = [29, 0, 10, 9, 9]
    for images in (JoinedArrays(arrays), arrays[0], whole, whole[::-1]):
        rows = [index % len(images) for index in order]
        dataset = ImageDataset(Split(images, [""] * len(images)))
        assert not dataset.cold
        dataset.cold = True  # as those of more than two gigabytes
        batch = dataset.__getitems__(rows)
        np.testing.assert_array_equal(batch["image"].numpy(), [images[row] for row in rows])
