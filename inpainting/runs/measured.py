"""One test's numbers with what they were measured on, and a job that has none."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.metrics.columns import Columns, from_plain


@dataclass(frozen=True, order=True)
class Conditions:
    """What has to agree before two numbers may stand in one table.

    Args:
        mask_hash: of the holes and the test images
        n: number of images
        metrics: versions and settings of what measured, one a text
    """

    mask_hash: str
    n: int
    metrics: tuple[str, ...]

    @property
    def measured_with(self) -> str:
        """The versions and settings for readers."""
        return ", ".join(self.metrics)


@dataclass(frozen=True, eq=False)
class Measured:
    """One test: of a run, of an evaluation or of what either was compared with.

    Args:
        folder: where metrics.json lies
        row: name of its setting
        seed: training's; None for a method without training
        completion_seed: of the noise that it was tested with
        compared_with: row that this one is to be compared with
        setting: what it was trained with, key to text
        data: short name of the data set
        mask: short name of the kind of hole
        details: content of metrics.json
        values: per-image metrics, name to (N,)
        trained_in: folder of the training, with its log; None for a method without one
        measured_by: settings of the metrics, key to text
    """

    folder: Path
    row: str
    seed: int | None
    completion_seed: int
    compared_with: str | None
    setting: dict[str, str]
    data: str
    mask: str
    details: dict[str, Any]
    values: dict[str, np.ndarray] = field(repr=False)
    trained_in: Path | None
    measured_by: dict[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, int]:
        """Training's and the completion's."""
        return self.seed or 0, self.completion_seed

    @property
    def trained(self) -> bool:
        """False for a method without training, a table's floor."""
        return self.trained_in is not None

    @cached_property
    def conditions(self) -> Conditions:
        """Of its numbers."""
        versions = self.details.get("versions", {})
        packages = ["inpainting", *self.details.get("measured_with", ())]
        metrics = [f"{name} {versions.get(name) or 'of no known version'}" for name in packages]
        metrics += [f"{key}={text}" for key, text in self.measured_by.items()]
        return Conditions(self.details["mask_hash"], int(self.details["n"]), tuple(metrics))

    @cached_property
    def columns(self) -> Columns:
        """What was measured."""
        return from_plain(self.details["columns"])

    def mean(self, metric: str) -> float:
        """Mean over the images, NaN where it was not measured."""
        value = self.details.get(metric)
        return float("nan") if value is None else float(value)

    def same_numbers(self, other: "Measured") -> bool:
        """Whether both are the same measurement made twice, up to rounding."""
        return self.columns == other.columns and all(
            np.allclose(self.values[name], other.values[name], atol=1e-3, equal_nan=True)
            for name in self.values
        )


@dataclass(frozen=True)
class Missing:
    """A job without numbers.

    Args:
        folder: its folder
        row: name of its setting
        seed: training's, None where the folder does not say
        reason: why, one line
    """

    folder: Path
    row: str
    seed: int | None
    reason: str
