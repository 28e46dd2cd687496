"""Image files decoded once: resized into the prepared format, kept in the cache."""

import hashlib
import json
import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from rich.progress import Progress

from inpainting.data import arrays
from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.errors import InputError
from inpainting.images.files import read_uint8

log = logging.getLogger(__name__)

CHUNK = 512  # images decoded ahead of the one that is written, so that memory stays bounded


@dataclass(frozen=True)
class Listing:
    """The image files of a data set.

    Attributes:
        root: the folder that `files` are relative to
        files: with forward slashes
        classes: a class name a file, "" for none
        versions: size and time of change of each file, which tell whether it is still the same
    """

    root: Path
    files: list[str]
    classes: list[str]
    versions: list[tuple[int, int]]


def file_version(path: Path | str) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def listing_fingerprint(listing: Listing, settings: dict[str, Any]) -> str:
    """16 hex digits that change with any file, its class, or any setting."""
    digest = hashlib.sha256(json.dumps([arrays.VERSION, settings], sort_keys=True).encode())
    for line in zip(listing.files, listing.classes, listing.versions, strict=True):
        digest.update(repr(line).encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _decoded(
    listing: Listing, indices: np.ndarray, settings: dict[str, Any]
) -> Iterator[np.ndarray | InputError]:
    """The images in order, decoded by threads (PIL lets go of the interpreter's lock)."""

    def attempt(index: int) -> np.ndarray | InputError:
        path = listing.root / listing.files[index]
        try:
            return read_uint8(path, settings["channels"], settings["image_size"])
        except InputError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(indices), CHUNK):
            yield from pool.map(attempt, indices[start : start + CHUNK])


def _rows(
    listing: Listing, indices: np.ndarray, settings: dict[str, Any], progress: Progress
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """What `arrays.write_split` takes, without the broken files or up to the first of them."""
    for index, image in zip(indices, _decoded(listing, indices, settings), strict=True):
        progress.advance(progress.task_ids[0])
        if not isinstance(image, InputError):
            yield image, {"file": listing.files[index], "class": listing.classes[index]}
        elif settings["on_error"] == "stop":
            raise InputError(f"{image}; data.on_error=skip leaves out all such files") from image


def decode_files(listing: Listing, folder: Path, settings: dict[str, Any]) -> None:
    """Decode, shrink and split the images into `folder`, in the prepared format.

    Args:
        listing: the files
        folder: where to write; does not exist yet
        settings: image_size, channels, shares, split_seed and on_error ("stop" or "skip")

    Raises:
        InputError: a broken file and on_error=stop, or too few files.
    """
    splits = arrays.split_indices(len(listing.files), settings["shares"], settings["split_seed"])
    total, written = len(listing.files), 0
    with arrays.writing(folder) as part, Progress() as progress:
        progress.add_task(f"decoding {total} images", total=total)
        for split, indices in splits.items():
            rows = _rows(listing, indices, settings, progress)
            count = arrays.write_split(part, split, rows)
            if not count:
                raise InputError(f"{listing.root}: no file of the {split} split can be read")
            written += count
        names = sorted(set(listing.classes))
        arrays.write_manifest(part, settings, names if any(names) else ())
    if written < total:
        log.warning("%d of %d files cannot be read and are left out", total - written, total)


def check_prepared(folder: Path, image_size: int, channels: int) -> None:
    """Whether a prepared folder holds what the config asks for.

    Raises:
        InputError: another size or another number of channels.
    """
    for split, details in arrays.read_manifest(folder)["splits"].items():
        _, height, width, depth = details["shape"]
        if (height, width) != (image_size, image_size):
            raise InputError(
                f"{folder} holds {split} images of {height}x{width} px, not data.image_size="
                f"{image_size}: type data.image_size={height} or prepare them anew"
            )
        if depth != channels:
            raise InputError(f"{folder} has {depth} channels: type data.channels={depth}")


class DecodedDataModule(InpaintingDataModule):
    """A data set of image files, which are decoded into the cache at first use.

    Args:
        root: the folder of the images, or one in the prepared format, which is read as it is
        cache: folder for the decoded images; each state of files and settings has its own in it
        shares: of train, val and test
        on_error: "stop" at a file that cannot be read, or "skip" and count such files
        **kwargs: of `InpaintingDataModule`
    """

    def __init__(
        self,
        *,
        root: str | Path | None,
        cache: str | Path,
        shares: Sequence[float] = (0.85, 0.10, 0.05),
        on_error: str = "stop",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if on_error not in ("stop", "skip"):
            raise InputError(f"data.on_error={on_error}: type stop or skip")
        self.root = Path(root).expanduser() if root is not None else None
        self.cache, self.shares, self.on_error = Path(cache).expanduser(), list(shares), on_error

    @abstractmethod
    def listing(self) -> Listing:
        """The image files below `self.root`.

        Raises:
            InputError: there are none.
        """

    def prepare_data(self) -> None:
        """Decode what is not decoded yet; Lightning calls it on one process only."""
        _ = self.folder

    def read_split(self, name: str) -> Split:
        """One split, memory-mapped."""
        return arrays.read(self.folder, name)

    @cached_property
    def folder(self) -> Path:
        """The folder in the prepared format, written now if it is not there."""
        if self.root is None:
            raise InputError("no folder of images is given: type data.root=PATH")
        if not self.root.is_dir():
            raise InputError(f"{self.root} is not a folder: type data.root=PATH")
        if arrays.is_prepared(self.root):
            check_prepared(self.root, self.image_size, self.channels)
            return self.root
        listing = self.listing()
        settings = {
            "image_size": self.image_size,
            "channels": self.channels,
            "shares": self.shares,
            "split_seed": self.split_seed,
            "on_error": self.on_error,
        }
        folder = self.cache / listing_fingerprint(listing, settings)
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):  # another process may be decoding the same
            if not folder.exists():
                decode_files(listing, folder, settings)
        return folder
