"""What a measurement leaves behind: metrics.json, per_image.csv and comparison tables."""

import csv
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from inpainting.atomic import replacing, write_json
from inpainting.metrics.columns import Column, Columns, as_plain, leading, ranked
from inpainting.metrics.intervals import paired_difference

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "opencv-python", "numpy")


@dataclass
class Result:
    """The test of one method.

    Args:
        method: its name in tables
        columns: what the numbers are, by metric
        summary: means over the pictures, by metric
        rows: one value a picture, by metric; "index" names the picture
        files: the pictures' names, in the order of the rows
        facts: mask hash, times and whatever else belongs beside the numbers
    """

    method: str
    columns: Columns
    summary: dict[str, float]
    rows: dict[str, np.ndarray]
    files: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write metrics.json and per_image.csv."""
        folder.mkdir(parents=True, exist_ok=True)
        # JSON has no NaN: what could not be measured (no hole, say) is null.
        summary = {name: v if np.isfinite(v) else None for name, v in self.summary.items()}
        own = provenance(self.facts.get("measured_with", ()))
        columns = as_plain({k: v for k, v in self.columns.items() if k in summary})
        content = {"method": self.method, **summary, **self.facts, "columns": columns, **own}
        with replacing(folder / "per_image.csv", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", *self.rows])
            columns = [column.tolist() for column in self.rows.values()]
            writer.writerows(zip(self.files, *columns, strict=True))
        write_json(folder / "metrics.json", content)  # last: what has it is finished


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


def _advantage(first: Result, other: Result, column: Column) -> str:
    """First minus other with its paired 95 % interval, on the same pictures and holes."""
    gap = paired_difference(first.rows[column.name], other.rows[column.name])
    mean, low, high = (column.text(value, signed=True) for value in gap)
    return f"{mean} [{low}, {high}]"


def comparison(results: Sequence[Result], brief: bool) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of methods on the same holes; the first is compared with each.

    Args:
        results: of the methods
        brief: for the narrow table of a terminal

    Raises:
        ValueError: the results were not measured on the same pictures and holes.
    """
    first = results[0]
    hashes = {result.facts["mask_hash"] for result in results}
    if len(hashes) > 1:
        raise ValueError(f"measured on different holes or pictures: {sorted(hashes)}")
    measured = {name: one for name, one in first.columns.items() if name in first.summary}
    shown = [one for one in measured.values() if one.brief] if brief else ranked(measured)
    gains = leading(measured) if len(results) > 1 else []
    header = ["method", *(one.heading for one in shown)]
    header += [f"{first.method}'s gain in {one.heading}" for one in gains]
    rows = []
    for result in results:
        row = [result.method, *(one.text(result.summary.get(one.name)) for one in shown)]
        row += ["" if result is first else _advantage(first, result, one) for one in gains]
        rows.append(row)
    return header, rows


def as_markdown(results: Sequence[Result]) -> str:
    """The comparison as a Markdown table, with what it was measured on."""
    header, rows = comparison(results, brief=False)
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{caption(results)}\n"


def as_rich(results: Sequence[Result]) -> Table:
    """The comparison for the terminal."""
    header, rows = comparison(results, brief=True)
    table = Table(caption=caption(results), caption_justify="left")
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def caption(results: Sequence[Result]) -> str:
    """What the numbers are means of."""
    summary = results[0].summary
    text = f"Means over {int(summary['n'])} pictures, holes {results[0].facts['mask_hash']}"
    if summary.get("n_without_hole"):
        text += f"; {int(summary['n_without_hole'])} without a hole are left out of *_hole"
    if len(results) > 1:
        text += "; brackets: paired 95 % intervals"
    return text + "."


def announce(results: Sequence[Result], folder: Path) -> None:
    """Print the table and the paths of what to look at."""
    console = Console()
    if not console.is_terminal:  # a pipe or a log has no width of its own
        console = Console(width=180)
    console.print(as_rich(results))
    for name in ("comparison.png", "test.png"):
        path = folder / "pictures" / name
        if path.is_file():
            console.print(f"Picture: {path}", soft_wrap=True, highlight=False)
            break
    console.print(f"Folder:  {folder}", soft_wrap=True, highlight=False)
