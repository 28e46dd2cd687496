"""Checksums of the files of a prepared folder."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from inpainting.errors import InputError

CHECKED = 2**31  # bytes; images up to that are held to their checksum at each start, in two seconds


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_unchanged(folder: Path, digests: Mapping[str, str], size: int) -> None:
    """Hold the files of a split to their checksums, unless that would take too long.

    Args:
        folder: in the prepared format
        digests: checksums by the names of files
        size: of the images, in bytes

    Raises:
        InputError: a file has changed; names it.
    """
    if size > CHECKED:
        return
    for name, digest in digests.items():
        if sha256_of(folder / name) != digest:
            raise InputError(f"{folder / name} has changed since it was written: delete {folder}")
