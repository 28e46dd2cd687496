"""The image files of a data set: where they lie, their classes, and which state they are in."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data import arrays
from inpainting.data.splitting import split_indices
from inpainting.errors import InputError
from inpainting.images.files import Window


@dataclass(frozen=True)
class Listing:
    """The image files of a data set.

    Attributes:
        root: the folder that `files` are relative to
        files: relative paths with forward slashes
        classes: the class name of each file, "" for none
        versions: `file_version` of each file, which changes when the file does
        splits: "train", "val" or "test" for each file; None splits the files at random
        attributes: for each name whether each file has the attribute, 0 or 1
        window: the part of each image that is kept; None keeps the centre square
    """

    root: Path
    files: list[str]
    classes: list[str]
    versions: list[tuple[int, int]]
    splits: list[str] | None = None
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    window: Window | None = None

    def indices(self, shares: Sequence[float], split_seed: int) -> dict[str, np.ndarray]:
        """Return the indices of each split's files by name, in the order of the files if given."""
        if self.splits is None:
            return split_indices(len(self.files), shares, split_seed)
        splits = np.array(self.splits)
        return {name: np.flatnonzero(splits == name) for name in arrays.SPLITS}

    def row(self, index: int) -> dict[str, Any]:
        """Return the csv line of a file."""
        line = {"file": self.files[index], "class": self.classes[index]}
        return line | {name: int(values[index]) for name, values in self.attributes.items()}


def file_version(path: Path | str) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds of a file."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def listing_fingerprint(listing: Listing, settings: dict[str, Any]) -> str:
    """Return 16 hex digits that change with any file, its class or any setting."""
    digest = hashlib.sha256(json.dumps([arrays.VERSION, settings], sort_keys=True).encode())
    for line in zip(listing.files, listing.classes, listing.versions, strict=True):
        digest.update(repr(line).encode(errors="surrogateescape"))
    if listing.splits is not None or listing.attributes or listing.window is not None:
        digest.update(repr([listing.splits, sorted(listing.attributes), listing.window]).encode())
        for name in sorted(listing.attributes):
            digest.update(np.ascontiguousarray(listing.attributes[name], dtype=np.uint8).data)
    return digest.hexdigest()[:16]


def joined(listings: Sequence[Listing]) -> Listing:
    """Join the listings of several roots into one, relative to the folder that holds all of them.

    Raises:
        InputError: one root lies inside another, or the roots differ in their attributes or in
            having splits of their own.
    """
    if len(listings) == 1:
        return listings[0]
    roots = [listing.root.resolve() for listing in listings]
    for number, root in enumerate(roots):
        for other in roots[:number] + roots[number + 1 :]:
            if root.is_relative_to(other):
                raise InputError(
                    f"data.root: {root} lies inside {other}, so its images would count twice: "
                    "type each folder once"
                )
    names = [sorted(listing.attributes) for listing in listings]
    if any(other != names[0] for other in names):
        raise InputError("data.root: these folders have different attributes: type one of them")
    if len({listing.splits is None for listing in listings}) > 1:
        raise InputError(
            "data.root: some of these folders have train, val and test in them and others do not: "
            "type those of one kind"
        )
    common = Path(os.path.commonpath(roots))
    starts = [root.relative_to(common).as_posix() for root in roots]
    pairs = list(zip(starts, listings, strict=True))
    splits = [split for one in listings for split in one.splits or ()]
    return Listing(
        root=common,
        files=[f"{start}/{file}" for start, one in pairs for file in one.files],
        classes=[name for one in listings for name in one.classes],
        versions=[version for one in listings for version in one.versions],
        splits=splits or None,
        attributes={
            name: np.concatenate([one.attributes[name] for one in listings]) for name in names[0]
        },
        window=listings[0].window,
    )
