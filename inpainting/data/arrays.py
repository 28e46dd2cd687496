"""The prepared format, a folder of uint8 arrays that need no decoding, and the random split.

    train.npy  val.npy  test.npy    (N, H, W, C) uint8, opened memory-mapped
    train.csv  val.csv  test.csv    one line per image: file (relative to its root), class, ...
    manifest.json                   version, settings, counts, class names, sha256 of the arrays

Readers take the csv columns `file`, `class` and those that the manifest lists as attributes, and
ignore all others, so that a writer may add columns, for instance the box of a hole.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.errors import InputError

VERSION = 1
SPLITS = ("train", "val", "test")
MANIFEST = "manifest.json"
# File names on Linux are bytes; surrogateescape keeps those that are not UTF-8 intact in the csv.
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Attributes:
        images: (N, H, W, C) uint8, in memory or memory-mapped
        files: N names, one for each image
        labels: (N,) int64, or None if the data set has no classes
        attributes: (N, A) float32, 1 = present, or None if the data set has none
        attribute_names: A names
    """

    images: np.ndarray
    files: list[str]
    labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()


def split_indices(
    count: int, shares: Sequence[float] = (0.85, 0.10, 0.05), split_seed: int = 2020
) -> dict[str, np.ndarray]:
    """Split `count` images at random into train, val and test.

    The order within a split is random too, so that its first images are a fair sample of it.

    Args:
        count: number of images, 3 or more
        shares: positive shares of train, val and test, which sum to 1
        split_seed: seed of the permutation

    Returns:
        the indices of each split by name: disjoint, complete and never empty

    Raises:
        InputError: `count` is below 3, or `shares` are not three positive numbers with sum 1.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise InputError(
            f"data.shares={list(shares)}: type three positive numbers that sum to 1, "
            "for instance data.shares=[.85,.10,.05]"
        )
    if count < 3:
        raise InputError(
            f"{count} images cannot be split into train, val and test: add images to have 3 or more"
        )
    val, test = (max(1, round(share * count)) for share in shares[1:])
    train = max(1, count - val - test)
    val = min(val, count - train - 1)
    order = np.random.default_rng(split_seed).permutation(count)
    return dict(zip(SPLITS, np.split(order, [train, train + val]), strict=True))


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` if the block ends without an error.

    The temporary folder lies beside `folder`, so an interrupted block leaves nothing that looks
    complete. Concurrent writers of one folder must exclude each other with a lock.

    Raises:
        InputError: `folder` exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: delete it or type another folder")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # left by a writer that was killed
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_header(array: Any, count: int, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(array, header)


def write_split(folder: Path, split: str, rows: Iterable[tuple[np.ndarray, dict[str, Any]]]) -> int:
    """Write the array and the csv of one split image by image, without holding them in memory.

    Args:
        folder: the folder that `writing` yielded
        split: "train", "val" or "test"
        rows: pairs of an image, (H, W, C) uint8 with the same shape throughout, and its csv line,
            a dict with `file`, `class` ("" for none) and any further columns; all lines have the
            same keys

    Returns:
        the number of images written
    """
    count, shape, table = 0, (0, 0, 0), None
    with (
        open(folder / f"{split}.npy", "wb") as array,
        open(folder / f"{split}.csv", "w", **TEXT) as lines,
    ):
        for image, line in rows:
            if table is None:
                shape, table = image.shape, csv.DictWriter(lines, list(line))
                _write_header(array, 0, shape)
                table.writeheader()
            assert image.shape == shape and image.dtype == np.uint8, f"{line}: {image.shape}"
            array.write(np.ascontiguousarray(image).data)
            table.writerow(line)
            count += 1
        # NumPy pads the header, which leaves room to overwrite the first axis with the final count.
        array.seek(0)
        _write_header(array, count, shape)
    return count


def write_manifest(
    folder: Path,
    settings: dict[str, Any],
    classes: Sequence[str] = (),
    attributes: Sequence[str] = (),
) -> None:
    """Write the manifest, which completes a prepared folder.

    Args:
        folder: the folder that `writing` yielded, with all splits written
        settings: the settings that produced the arrays
        classes: the class names; a label is an index into them
        attributes: the csv columns that hold attributes, as 0 or 1
    """
    splits = {}
    for split in SPLITS:
        array = np.load(folder / f"{split}.npy", mmap_mode="r")
        splits[split] = {"shape": array.shape, "sha256": _digest(folder / f"{split}.npy")}
    manifest = {
        "version": VERSION,
        "settings": settings,
        "classes": list(classes),
        "attributes": list(attributes),
        "splits": splits,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; a gigabyte takes about a second."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_prepared(folder: Path) -> bool:
    """Return True if the folder has the manifest of the prepared format."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a prepared folder.

    Raises:
        InputError: the manifest is missing, unreadable or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        version = manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a readable manifest of prepared images: prepare the images again"
        ) from error
    if version != VERSION:
        raise InputError(f"{path} has version {version}, not {VERSION}: prepare the images again")
    return manifest


def read(folder: Path, split: str) -> Split:
    """Open one split of a prepared folder, memory-mapped.

    Raises:
        InputError: a file is missing, unreadable or inconsistent with the manifest.
    """
    manifest = read_manifest(folder)
    array, lines = folder / f"{split}.npy", folder / f"{split}.csv"
    try:
        shape = tuple(manifest["splits"][split]["shape"])
        images = np.load(array, mmap_mode="r")
        with open(lines, **TEXT) as table:
            rows = list(csv.DictReader(table))
        names = manifest.get("attributes", [])  # older folders have none
        attributes = np.array([[row[name] for name in names] for row in rows], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{folder} has no readable {split} split ({error}): delete the folder"
        ) from error
    if images.shape == shape and _digest(array) != manifest["splits"][split].get("sha256"):
        raise InputError(f"{array} has changed since it was written: delete {folder}")
    if images.shape != shape or images.dtype != np.uint8:
        raise InputError(
            f"{array} is {images.dtype} {images.shape}, not uint8 {shape}: delete {folder}"
        )
    if len(rows) != len(images):
        raise InputError(f"{lines} has {len(rows)} lines for {len(images)} images: delete {folder}")
    label = {name: index for index, name in enumerate(manifest["classes"])}
    if label and (unknown := {row["class"] for row in rows} - set(label)):
        raise InputError(
            f"{lines} has classes that the manifest lacks ({min(unknown)}): delete {folder}"
        )
    labels = np.array([label[row["class"]] for row in rows], dtype=np.int64) if label else None
    files = [row["file"] for row in rows]
    return Split(images, files, labels, attributes if names else None, tuple(names))
