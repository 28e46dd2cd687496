"""The result of a test, and the files that hold it: metrics.json and per_image.csv."""

import csv
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.atomic import replacing, write_json
from inpainting.metrics.columns import Columns, as_plain
from inpainting.runs.provenance import provenance


@dataclass
class Result:
    """The result of testing one method.

    Args:
        method: name of the method in tables
        columns: the columns that were measured, by name
        summary: means over the images, by column
        rows: one value per image, by column; "index" holds the images' indices
        files: names of the images, in the order of the rows
        details: mask hash, times and other facts to write beside the numbers
    """

    method: str
    columns: Columns
    summary: dict[str, float]
    rows: dict[str, np.ndarray]
    files: list[str]
    details: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write metrics.json and per_image.csv."""
        folder.mkdir(parents=True, exist_ok=True)
        # JSON has no NaN: a number that could not be measured (no hole, say) is null.
        summary = {name: v if np.isfinite(v) else None for name, v in self.summary.items()}
        own = provenance(self.details.get("measured_with", ()))
        columns = as_plain({k: v for k, v in self.columns.items() if k in summary})
        content = {"method": self.method, **summary, **self.details, "columns": columns, **own}
        with replacing(folder / "per_image.csv", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", *self.rows])
            columns = [column.tolist() for column in self.rows.values()]
            writer.writerows(zip(self.files, *columns, strict=True))
        write_json(folder / "metrics.json", content)  # last: it marks the test as finished


def set_aside(folder: Path) -> None:
    """Rename a run's earlier metrics.json to metrics_before_resume.json, if it has one.

    Beside the configuration of a resume the earlier numbers would be wrong, and without the file a
    resume that is killed counts as interrupted.
    """
    with suppress(FileNotFoundError):
        os.replace(folder / "metrics.json", folder / "metrics_before_resume.json")
