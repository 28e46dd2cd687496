"""The weights that come along: their names, and the check that a file is what was published."""

import hashlib
import json
from pathlib import Path

from inpainting.errors import InputError

FOLDER = Path(__file__).resolve().parent.parent / "bundled"
PREFIX = "bundled/"


def bundled() -> list[str]:
    """Return the names of the weights that come along, such as bundled/ddpm_digits."""
    return sorted(f"{PREFIX}{path.stem}" for path in FOLDER.glob("*.safetensors"))


def bundled_file(name: str, key: str) -> Path:
    """Return the file of weights that come along, after its sha256 was compared.

    Args:
        name: such as bundled/ddpm_digits
        key: what the user typed to name it

    Raises:
        InputError: there are no such weights, or their file has changed.
    """
    path = FOLDER / f"{name.removeprefix(PREFIX)}.safetensors"
    if name not in bundled():
        raise InputError(f"{key}={name}: type one of {', '.join(bundled())}")
    expected = json.loads((FOLDER / "sha256.json").read_text())[path.stem]
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise InputError(
            f"{key}={name}: {path} is damaged or was changed (its sha256 is not the published "
            "one); install inpainting again"
        )
    return path
