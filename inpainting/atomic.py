"""Atomic writes: a file is written completely or not at all, even if the process is killed.

A file is written under a temporary name in the folder of its target, flushed to disk and renamed
over the target, which keeps its old content until then. The temporary folder of the system is not
used: moving a file from there to another file system would copy it, and a copy can be interrupted.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from inpainting.errors import NOTHING_WRITTEN


@contextmanager
def replacing(path: Path, mode: str = "w", **options: Any) -> Iterator[IO]:
    """Yield an open file that replaces `path` when the block ends without an error.

    Args:
        path: the target, in an existing folder
        mode: "w" or "wb"
        **options: further arguments of `open`

    Raises:
        OSError: the file cannot be written or flushed to disk.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        # Only what opens a file names it, and a full disk is noticed by what writes.
        if error.errno in NOTHING_WRITTEN and not error.filename:
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)
    # The rename survives a power cut only once the folder is flushed too.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as file:
        file.write(text)


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values atomically, as `torch.load` reads them."""
    import torch  # here so that --help does not load it

    with replacing(path, "wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # A signal or a full disk becomes an error about the unfinished archive.
            cause = error.__context__
            if isinstance(cause, KeyboardInterrupt | SystemExit | OSError):
                raise cause from error
            raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an indented JSON file atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")
