"""The prepared format: a folder of uint8 arrays that need no decoding.

    train.npy  val.npy  test.npy    (N, H, W, C) uint8, opened memory-mapped
    train.csv  val.csv  test.csv    one line per image: file (relative to its root), class, ...
    manifest.json                   version, settings, counts, class names, sha256 of the arrays

An array that would be larger than its writer allows is split into train-000.npy, train-001.npy, ...

Readers take the csv columns `file`, `class` and those that the manifest lists as attributes, and
ignore all others, so that a writer may add columns, for instance the box of a hole.
"""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data.checksums import check_unchanged, sha256_of
from inpainting.data.joined import JoinedArrays
from inpainting.data.table import TEXT, read_columns
from inpainting.errors import InputError

VERSION = 1
SPLITS = ("train", "val", "test")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Split:
    """The images of one split.

    Attributes:
        images: (N, H, W, C) uint8, in memory or memory-mapped, in one or several files
        files: N names, one for each image
        labels: (N,) int64, or None if the data set has no classes
        attributes: (N, A) float32, 1 = present, or None if the data set has none
        attribute_names: A names
    """

    images: np.ndarray | JoinedArrays
    files: list[str]
    labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()


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


def write_split(
    folder: Path,
    split: str,
    rows: Iterable[tuple[np.ndarray, dict[str, Any]]],
    max_bytes: float | None = None,
) -> int:
    """Write the array and the csv of one split image by image, without holding them in memory.

    Args:
        folder: the folder that `writing` yielded
        split: "train", "val" or "test"
        rows: pairs of an image, (H, W, C) uint8 with the same shape throughout, and its csv line,
            a dict with `file`, `class` ("" for none) and any further columns; all lines have the
            same keys
        max_bytes: of images in one file; None writes one file

    Returns:
        the number of images written
    """
    count, shape, table, files = 0, (0, 0, 0), None, []
    with open(folder / f"{split}.csv", "w", **TEXT) as lines, ExitStack() as stack:
        for image, line in rows:
            if table is None:
                shape, table = image.shape, csv.DictWriter(lines, list(line))
                table.writeheader()
                each = max(1, int(max_bytes // image.size)) if max_bytes else None
            assert image.shape == shape and image.dtype == np.uint8, f"{line}: {image.shape}"
            if not files or (each and count % each == 0):
                files.append(
                    stack.enter_context(open(folder / f"{split}-{len(files):03d}.npy", "wb"))
                )
                _write_header(files[-1], 0, shape)
            files[-1].write(np.ascontiguousarray(image).data)
            table.writerow(line)
            count += 1
        # NumPy pads the header, which leaves room to overwrite the first axis with the final count.
        for number, file in enumerate(files):
            file.seek(0)
            rest = count - number * (each or 0)
            _write_header(file, min(each or rest, rest), shape)
    if len(files) == 1:
        os.replace(folder / f"{split}-000.npy", folder / f"{split}.npy")
    return count


def write_manifest(
    folder: Path,
    settings: dict[str, Any],
    classes: Sequence[str] = (),
    attributes: Sequence[str] = (),
    details: dict[str, Any] | None = None,
) -> None:
    """Write the manifest, which completes a prepared folder.

    Args:
        folder: the folder that `writing` yielded, with all splits written
        settings: the settings that produced the arrays
        classes: the class names; a label is an index into them
        attributes: the csv columns that hold attributes, as 0 or 1
        details: whatever else is worth knowing, under keys of its own
    """
    manifest = {
        "version": VERSION,
        "settings": settings,
        **(details or {}),
        "classes": list(classes),
        "attributes": list(attributes),
        "splits": {split: _described(folder, split) for split in SPLITS},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _described(folder: Path, split: str) -> dict[str, Any]:
    """Return the shape of a split's images and the checksums of its files."""
    paths = sorted(folder.glob(f"{split}-*.npy")) or [folder / f"{split}.npy"]
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    shape = (sum(map(len, arrays)), *arrays[0].shape[1:])
    digests = {path.name: sha256_of(path) for path in [*paths, folder / f"{split}.csv"]}
    if len(paths) == 1:
        return {"shape": shape, "sha256": digests[paths[0].name], "files": digests}
    return {"shape": shape, "files": digests}


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


def _opened(folder: Path, split: str, files: Iterable[str]) -> np.ndarray | JoinedArrays:
    """Open the images of a split; `files` are those that the manifest names, if it names any."""
    names = [name for name in files if name.endswith(".npy")] or [f"{split}.npy"]
    arrays = [np.load(folder / name, mmap_mode="r") for name in names]
    return arrays[0] if len(arrays) == 1 else JoinedArrays(arrays)


def read(folder: Path, split: str) -> Split:
    """Open one split of a prepared folder, memory-mapped.

    Raises:
        InputError: a file is missing, unreadable or inconsistent with the manifest.
    """
    manifest = read_manifest(folder)
    lines = folder / f"{split}.csv"
    try:
        shape = tuple(manifest["splits"][split]["shape"])
        images = _opened(folder, split, manifest["splits"][split].get("files", ()))
        names = manifest.get("attributes", [])  # older folders have none
        files, classes, attributes = read_columns(lines, names)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{folder} has no readable {split} split ({error}): delete the folder"
        ) from error
    if images.shape != shape or images.dtype != np.uint8:
        raise InputError(
            f"{folder / split}.npy is {images.dtype} {images.shape}, not uint8 {shape}: "
            f"delete {folder}"
        )
    described = manifest["splits"][split]
    # A csv may gain columns; folders of earlier versions have a checksum of the array alone.
    digests = described.get("files") or {f"{split}.npy": described.get("sha256")}
    digests = {name: digest for name, digest in digests.items() if name.endswith(".npy")}
    check_unchanged(folder, digests, prod(shape))
    if len(files) != len(images):
        raise InputError(
            f"{lines} has {len(files)} lines for {len(images)} images: delete {folder}"
        )
    label = {name: index for index, name in enumerate(manifest["classes"])}
    if label and (unknown := set(classes) - set(label)):
        raise InputError(
            f"{lines} has classes that the manifest lacks ({min(unknown)}): delete {folder}"
        )
    labels = np.array([label[name] for name in classes], dtype=np.int64) if label else None
    return Split(images, files, labels, attributes if names else None, tuple(names))
