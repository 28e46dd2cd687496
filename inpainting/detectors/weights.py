"""The file of a detector's weights: given by its path, or downloaded when asked for."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from inpainting.errors import InputError


def weights_file(
    weights: str | None, download: bool, fetched: Path, fetch: Callable[[], None]
) -> Path:
    """Return the path of the weights.

    Args:
        weights: the path that was typed, or None
        download: fetch the weights if they were not fetched before
        fetched: where `fetch` writes them
        fetch: downloads them

    Raises:
        InputError: the path is not a file, no weights are there, or the download fails.
    """
    if weights is not None:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise InputError(
                f"detector.weights={weights} is not a file: type the path of the weights"
            )
        return path
    if not fetched.is_file():
        if not download:
            raise InputError(
                f"the weights {fetched.name} are not in {fetched.parent}: type "
                "detector.download=true to fetch them, detector.weights=PATH if they are "
                "elsewhere, or detector=none to keep all images"
            )
        fetched.parent.mkdir(parents=True, exist_ok=True)
        try:
            fetch()
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"the weights {fetched.name} cannot be downloaded ({error}): try again, or fetch "
                "them by hand and type detector.weights=PATH"
            ) from error
    return fetched


def checked_digest(path: Path, expected: str | None) -> str:
    """Return the SHA-256 checksum of a file.

    Raises:
        InputError: it is not the expected one.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and digest != expected.lower():
        raise InputError(
            f"{path} has the SHA-256 checksum {digest}, not detector.sha256={expected}: fetch the "
            "file again, or type the checksum of the file that you mean"
        )
    return digest
