"""Files that are written whole or not at all, whatever kills the process or fills the disk.

A file is written under another name in the folder of its target, flushed to the disk, and renamed over
the target. Until then the earlier file stays as it was. The system's folder for temporary files plays
no part: moving a file from there to another file system copies it, and a copy can be interrupted.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path, mode: str = "w", **options: Any) -> Iterator[IO]:
    """An open file that takes the place of `path` when the block ends without an error.

    Args:
        path: the target; its folder must exist
        mode: "w" or "wb"
        options: of `open`
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    # Without it a power cut may forget the renaming.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as file:
        file.write(text)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write indented JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
