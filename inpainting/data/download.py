"""Downloads of large archives, which go on where they broke off and are checked when complete."""

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from torchvision.datasets.utils import extract_archive

from inpainting.errors import InputError

BLOCK = 1 << 20  # bytes read at a time


def download(url: str, path: Path, md5: str) -> None:
    """Download a file unless it is there; an interrupted download goes on where it broke off.

    Args:
        url: address of the file
        path: where to write it; an incomplete download lies beside it, as `NAME.part`
        md5: the checksum of the complete file

    Raises:
        InputError: the address cannot be read, the connection broke off, or the checksum differs.
    """
    if path.exists():
        return
    part = path.with_name(path.name + ".part")
    try:
        _append(url, part)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url} cannot be downloaded ({error}): type the command again, which goes on where "
            "the download broke off, or put the files there by hand and type data.download=false"
        ) from error
    with open(part, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        part.unlink()
        raise InputError(
            f"{url} has the md5 checksum {found} and not {md5}, so the download was damaged and "
            "has been deleted: type the command again"
        )
    os.replace(part, path)


def _append(url: str, part: Path) -> None:
    """Append what is missing of the file to `part`."""
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and there:
            return  # nothing is missing
        raise
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:  # the server sends the whole file
            there = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else there + int(length)
        columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with (
            open(part, "ab" if there else "wb") as file,
            Progress(*Progress.get_default_columns()[:2], *columns) as progress,
        ):
            name = part.name.removesuffix(".part")
            task = progress.add_task(name, total=total, completed=there)
            while block := answer.read(BLOCK):
                file.write(block)
                progress.advance(task, len(block))
    if total is not None and part.stat().st_size != total:
        raise OSError(f"it broke off after {part.stat().st_size:,} of {total:,} bytes")


def extract(archive: Path, inner: str, folder: Path) -> None:
    """Extract one folder of an archive; an interrupted extraction leaves no `folder`.

    Args:
        archive: a tar file
        inner: name of the folder in it
        folder: what it is called when it is complete
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of an extraction that was killed
    extract_archive(str(archive), str(part))
    os.replace(part / inner, folder)
    shutil.rmtree(part)
