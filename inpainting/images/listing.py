"""The image files below a folder: links are followed, but nothing is listed twice by them."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from inpainting.errors import InputError

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


def list_images(folder: str | Path) -> list[Path]:
    """Return the sorted paths of all image files below `folder`, at any depth.

    Image files are recognised by their suffix. Hidden files and folders are left out. A folder that
    several links lead to is listed once, by its own path if that lies below `folder`.

    Raises:
        InputError: the folder does not exist, or a name of an image belongs to no file: to a link
            that leads nowhere, or to something such as a pipe that cannot be read as a file.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is not a folder: give the path of a folder of images")
    found: list[Path] = []
    linked, seen = [Path(folder)], set()
    while linked:
        # What is reached without a link comes first and is listed by its own path.
        later: list[Path] = []
        for start in linked:
            found += _below(start, seen, later)
        linked = sorted(later)
    return sorted(found)


def _below(folder: Path, seen: set[tuple[int, int]], linked: list[Path]) -> Iterator[Path]:
    """Yield the images below a folder without following links; collect those to folders."""
    place = os.stat(folder)
    if (place.st_dev, place.st_ino) in seen:
        return
    seen.add((place.st_dev, place.st_ino))
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = Path(folder, entry.name)
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.is_symlink():
                linked.append(path)
            else:
                yield from _below(path, seen, linked)
        elif path.suffix.lower() in SUFFIXES:
            _check_file(entry, path)
            yield path


def _check_file(entry: os.DirEntry, path: Path) -> None:
    if entry.is_file():
        return
    if entry.is_symlink():
        raise InputError(
            f"{path} is a link to {os.readlink(path)}, which is not there: mend or delete the link"
        )
    raise InputError(f"{path} is a pipe or a device, not a file: move it elsewhere")


def each_once(paths: Sequence[Path]) -> list[Path]:
    """Leave out the further names of one file, by links of any kind, with a warning.

    The same image must not be in train and in test.
    """
    first: dict[tuple[int, int], Path] = {}
    for path in sorted(paths, key=lambda path: (path.is_symlink(), path)):
        status = os.stat(path)
        first.setdefault((status.st_dev, status.st_ino), path)
    kept = sorted(first.values())
    if len(kept) < len(paths):
        left_out = min(set(paths).difference(kept))
        log.warning(
            "%d of %d names belong to files that have another name, such as %s: each image is "
            "taken once",
            len(paths) - len(kept),
            len(paths),
            left_out,
        )
    return kept
