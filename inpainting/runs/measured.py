"""The numbers of one test with the conditions they were measured under; jobs without numbers."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.metrics.columns import Columns, from_plain


@dataclass(frozen=True, order=True)
class Conditions:
    """The conditions that must agree before two numbers may stand in one table.

    Args:
        mask_hash: hash of the test images and their holes
        n: number of images
        metrics: versions and settings of the metrics, one string each
    """

    mask_hash: str
    n: int
    metrics: tuple[str, ...]

    @property
    def measured_with(self) -> str:
        """The versions and settings in one line of text."""
        return ", ".join(self.metrics)


@dataclass(frozen=True, eq=False)
class Measured:
    """One test: of a run, of an evaluation, or of a method that either was compared with.

    Args:
        folder: the folder of metrics.json
        row: name of the setting
        seed: of the training; None for a method without training
        completion_seed: seed of the noise that the test's completions were drawn from
        compared_with: name of the row that this row is compared with
        setting: what the method was trained with, key to text
        data: short name of the data set
        mask: short name of the kind of hole
        details: content of metrics.json
        values: per-image metrics, name to (N,)
        trained_in: folder of the training, with its log; None for a method without training
        measured_by: settings of the metrics, key to text
        number: of the job in its sweep; None for a single run
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
    number: int | None = None

    @property
    def seeds(self) -> tuple[int, int]:
        """The seeds of the training (0 without one) and of the completions."""
        return self.seed or 0, self.completion_seed

    @property
    def trained(self) -> bool:
        """False for a method without training, which serves as a table's floor."""
        return self.trained_in is not None

    @cached_property
    def conditions(self) -> Conditions:
        """The conditions that the numbers were measured under."""
        versions = self.details.get("versions", {})
        packages = ["inpainting", *self.details.get("measured_with", ())]
        metrics = [f"{name} {versions.get(name) or 'of unknown version'}" for name in packages]
        metrics += [f"{key}={text}" for key, text in self.measured_by.items()]
        return Conditions(self.details["mask_hash"], int(self.details["n"]), tuple(metrics))

    @cached_property
    def columns(self) -> Columns:
        """The columns that were measured, by name."""
        return from_plain(self.details["columns"])

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the images; NaN if it was not measured."""
        value = self.details.get(metric)
        return float("nan") if value is None else float(value)

    def same_numbers(self, other: "Measured") -> bool:
        """Return True if both are the same measurement made twice: all values agree within 1e-3."""
        return self.columns == other.columns and all(
            np.allclose(self.values[name], other.values[name], atol=1e-3, equal_nan=True)
            for name in self.values
        )


@dataclass(frozen=True)
class Missing:
    """A job without numbers.

    Args:
        folder: of the job
        row: name of the setting
        seed: of the training; None if the folder does not say
        reason: why there are no numbers, in one line
    """

    folder: Path
    row: str
    seed: int | None
    reason: str
