"""What a number was made with: versions, and the commit of the code."""

import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "opencv-python", "numpy")


def provenance(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Versions, also of these packages, and the commit of the code where it lies in a checkout."""
    source = Path(__file__)
    git = ["git", "-C", str(source.parent)]
    try:
        # Installed inside somebody's own repository, that one's commit would say nothing.
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
        commit = None  # installed as a package: the version says it
    versions = {}
    for name in dict.fromkeys(["inpainting", *PACKAGES, *packages]):
        with suppress(PackageNotFoundError):  # such as an extra that is not installed
            versions[name] = version(name)
    return {"commit": commit, "python": platform.python_version(), "versions": versions}
