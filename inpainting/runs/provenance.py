"""The software a number was measured with: package versions and the commit of the code."""

import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "opencv-python", "numpy")


def provenance(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Return the versions of Python and of packages, and the commit of the code.

    Args:
        packages: names of further distributions to look up

    Returns:
        `commit`, which ends in "-dirty" if tracked files were changed and is None outside a
        checkout; `python`; and `versions`, name to version, without what is not installed
    """
    source = Path(__file__)
    git = ["git", "-C", str(source.parent)]
    try:
        # Git must track this file: a package installed inside another repository would otherwise
        # report that repository's commit.
        subprocess.run(
            [*git, "ls-files", "--error-unmatch", source.name], capture_output=True, check=True
        )
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        commit += "-dirty" if changed else ""
    except (OSError, subprocess.CalledProcessError):
        commit = None  # installed as a package: its version identifies the code
    versions = {}
    for name in dict.fromkeys(["inpainting", *PACKAGES, *packages]):
        with suppress(PackageNotFoundError):  # such as an extra that is not installed
            versions[name] = version(name)
    return {"commit": commit, "python": platform.python_version(), "versions": versions}
