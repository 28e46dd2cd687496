"""A run by what a user types: its folder, an exported file, or weights that come along."""

from pathlib import Path

from inpainting.runs.bundled import PREFIX, bundled_file
from inpainting.runs.exported import SUFFIX, Exported
from inpainting.runs.folder import Run


def open_run(name: str | Path, key: str = "run") -> Run:
    """Open a run.

    Args:
        name: a folder, a file that export has written, or a name such as bundled/ddpm_digits
        key: what the user typed to name it

    Raises:
        InputError: there is no such run.
    """
    if not Path(name).expanduser().exists() and str(name).startswith(PREFIX):
        return Exported.open(bundled_file(str(name), key), key)
    if str(name).endswith(SUFFIX):
        return Exported.open(name, key)
    return Run.open(name, key)


def names_run(name: str) -> bool:
    """Return True if a name can only be a run's: a folder that exists, a file, a bundled name."""
    return name.startswith(PREFIX) or name.endswith(SUFFIX) or Path(name).expanduser().is_dir()
