"""Data sets of image files, which are decoded once into the prepared format and cached."""

import copy
import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from rich.progress import Progress

from inpainting.data import arrays
from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.data.listing import Listing, joined, listing_fingerprint
from inpainting.errors import InputError
from inpainting.images.files import DECODING, read_uint8
from inpainting.values import Share, Side

log = logging.getLogger(__name__)

CHUNK = 512  # images decoded ahead of the writer; bounds the memory
MANY = 20_000  # images from which on `prepare` pays: it shows progress, and goes on after a kill


def _decoded(
    listing: Listing, indices: np.ndarray, settings: dict[str, Any]
) -> Iterator[np.ndarray | InputError]:
    """Yield each image, or the error of its file, in order.

    Threads are enough to decode in parallel because all decoders release the GIL.
    """

    def attempt(index: int) -> np.ndarray | InputError:
        path = listing.root / listing.files[index]
        try:
            return read_uint8(path, settings["channels"], settings["image_size"], listing.window)
        except InputError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(indices), CHUNK):
            yield from pool.map(attempt, indices[start : start + CHUNK])


def _rows(
    listing: Listing, indices: np.ndarray, settings: dict[str, Any], progress: Progress
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Yield the rows for `arrays.write_split`; skip broken files or raise at the first."""
    for index, image in zip(indices, _decoded(listing, indices, settings), strict=True):
        progress.advance(progress.task_ids[0])
        if not isinstance(image, InputError):
            yield image, listing.row(index)
        elif settings["on_error"] == "stop":
            raise InputError(f"{image}; type data.on_error=skip to skip such files") from image


def decode_files(listing: Listing, folder: Path, settings: dict[str, Any]) -> None:
    """Decode, resize and split images into a folder in the prepared format.

    Args:
        listing: the image files
        folder: the folder to write, which must be missing or empty
        settings: image_size, channels, shares, split_seed and on_error ("stop" or "skip")

    Raises:
        InputError: a file is broken and on_error is "stop", there are fewer than three files, or
            no file of a split can be read.
    """
    splits = listing.indices(settings["shares"], settings["split_seed"])
    total, written = len(listing.files), 0
    with arrays.writing(folder) as part, Progress() as progress:
        progress.add_task(f"decoding {total} images", total=total)
        for split, indices in splits.items():
            rows = _rows(listing, indices, settings, progress)
            count = arrays.write_split(part, split, rows)
            if not count:
                raise InputError(
                    f"{listing.root}: no file of the {split} split can be read; add readable images"
                )
            written += count
        names = sorted(set(listing.classes))
        names = names if any(names) else ()
        arrays.write_manifest(part, settings, names, list(listing.attributes))
    if written < total:
        log.warning("%d of %d files cannot be read and are skipped", total - written, total)


def check_prepared(folder: Path, image_size: int, channels: int) -> None:
    """Check that a prepared folder has the configured image size and number of channels.

    Args:
        folder: a folder in the prepared format
        image_size: side of the square images, in pixels
        channels: 1 (grey) or 3 (RGB)

    Raises:
        InputError: the folder has another size or another number of channels.
    """
    for split, details in arrays.read_manifest(folder)["splits"].items():
        _, height, width, depth = details["shape"]
        if (height, width) != (image_size, image_size):
            raise InputError(
                f"{folder} holds {split} images of {height}x{width} px, not {image_size}: type "
                f"data.image_size={height} and no larger data.decoded_size, or prepare them again"
            )
        if depth != channels:
            raise InputError(f"{folder} has {depth} channels: type data.channels={depth}")


class DecodedDataModule(InpaintingDataModule):
    """The base class of data sets of image files, which are decoded into a cache on first use.

    Args:
        root: the folder of the images, or several; or one folder in the prepared format, which is
            read directly
        cache: the folder of decoded images, with a subfolder for each state of files and settings
        shares: shares of train, val and test, which sum to 1
        on_error: "stop" at a file that cannot be read, or "skip" and count such files
        decoded_size: side at which the images are stored, in pixels; None is `image_size`. Larger
            ones are shrunk to it in each batch, unless an augmentation cuts smaller ones out.
        **kwargs: arguments of `InpaintingDataModule`

    Raises:
        InputError: `on_error` is neither "stop" nor "skip".
    """

    def __init__(
        self,
        *,
        root: str | Path | Sequence[str | Path] | None,
        cache: str | Path,
        shares: Sequence[Share] = (0.85, 0.10, 0.05),
        on_error: Literal["stop", "skip"] = "stop",
        decoded_size: Side | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if decoded_size is not None and decoded_size < self.image_size:
            raise InputError(
                f"data.decoded_size={decoded_size} is smaller than data.image_size="
                f"{self.image_size}: type a larger number, or null"
            )
        self.decoded_size = decoded_size
        if on_error not in ("stop", "skip"):
            raise InputError(f"data.on_error={on_error}: type stop or skip")
        given = [root] if isinstance(root, str | Path) else root or []
        self.roots = [Path(one).expanduser() for one in given]
        self.root = self.roots[0] if self.roots else None
        self.cache, self.shares, self.on_error = Path(cache).expanduser(), list(shares), on_error

    @property
    def stored_size(self) -> int:
        """See `InpaintingDataModule`."""
        return self.decoded_size or self.image_size

    @abstractmethod
    def listing(self) -> Listing:
        """List the image files below `self.root`.

        Raises:
            InputError: there are no image files.
        """

    def fetch(self) -> None:  # noqa: B027 (most data sets have nothing to download)
        """Download what is missing, if that is asked for.

        Raises:
            InputError: the download fails.
        """

    def prepare_data(self) -> None:
        """Fetch and decode what is not there; Lightning calls this in one process only.

        Raises:
            InputError: the download fails, or decoding does.
        """
        self.fetch()
        _ = self.folder

    def whole_listing(self) -> Listing:
        """List the image files below all roots.

        Raises:
            InputError: a root is missing or is not a folder, or none of its images is there.
        """
        if not self.roots:
            raise InputError("no folder of images is given: type data.root=PATH")
        listings = []
        for root in self.roots:
            if not root.is_dir():
                raise InputError(f"{root} is not a folder: type data.root=PATH")
            if arrays.is_prepared(root):
                raise InputError(
                    f"{root} holds prepared images: type it alone, as data.root={root}"
                )
            one = copy.copy(self)
            one.root = root
            listings.append(one.listing())
        return joined(listings)

    def read_split(self, name: str) -> Split:
        """Return one split, memory-mapped."""
        return arrays.read(self.folder, name)

    @cached_property
    def folder(self) -> Path:
        """The folder in the prepared format; it is written on first access if it does not exist.

        Raises:
            InputError: `root` is missing, is not a folder, or cannot be used as configured.
        """
        if len(self.roots) == 1 and arrays.is_prepared(self.root):
            check_prepared(self.root, self.stored_size, self.channels)
            return self.root
        listing = self.whole_listing()
        settings = {
            "image_size": self.stored_size,
            "channels": self.channels,
            "shares": self.shares,
            "split_seed": self.split_seed,
            "on_error": self.on_error,
        }
        version = {"decoding": DECODING}
        folder = self.cache / listing_fingerprint(listing, settings | version)
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):  # another process may be decoding the same files
            if not folder.exists():
                if len(listing.files) >= MANY:
                    log.info(
                        "%d images are decoded into the cache now; python -m inpainting.prepare "
                        "does it in several processes, and goes on after an interruption",
                        len(listing.files),
                    )
                decode_files(listing, folder, settings)
        return folder
