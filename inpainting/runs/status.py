"""How far a run or a job of a sweep has come, as its folder shows."""

import json
from pathlib import Path
from typing import Any


def results_of(folder: Path) -> dict[str, Any] | None:
    """Return the content of metrics.json; None without a whole one."""
    try:
        content = json.loads((folder / "metrics.json").read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "method" in content else None


def status(folder: Path) -> str:
    """Return the status of a job: "finished", "failed", "interrupted" or "new".

    A job whose metrics.json was torn, by a full disk for instance, counts as interrupted: it goes
    on and writes another one.
    """
    if results_of(folder) is not None:
        return "finished"
    if (folder / "failed.txt").is_file():
        return "failed"
    return "interrupted" if (folder / "config.yaml").is_file() else "new"


def failure_reason(folder: Path) -> str:
    """Return the reason why a job failed; empty if it did not fail."""
    note = folder / "failed.txt"
    return note.read_text().strip() if status(folder) == "failed" else ""
