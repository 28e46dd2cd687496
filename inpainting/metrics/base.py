"""What a metric is: a measurement of each image, or one of the whole set."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from inpainting.images.evaluated import Completed
from inpainting.metrics.columns import Column, Columns, named


class ImageMetric(ABC):
    """Measures each image by itself; the set's number is the mean over the images.

    Attributes:
        columns: what it measures
        packages: distributions whose version its numbers depend on
    """

    columns: ClassVar[tuple[Column, ...]]
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch, on its device.

        Returns:
            (B,) float32 for each column. NaN says that there was nothing to measure, which only a
            column of scope "hole" can say, or that the completion is broken. A column may be left
            out, such as one whose weights are missing.
        """


class SetMetric(ABC):
    """Measures a set of images as a whole.

    On several processes, all of them call `reset` and `compute`, and each of them gets the number
    of the whole set.

    Attributes:
        columns: what it measures, all of scope "set"
        packages: distributions whose version its numbers depend on
        at_validation: whether it is cheap enough for every validation; the test always measures it
    """

    columns: ClassVar[tuple[Column, ...]]
    packages: ClassVar[tuple[str, ...]] = ()
    at_validation: ClassVar[bool]

    @abstractmethod
    def reset(self, device: torch.device) -> None:
        """Start a new set, whose images will lie on this device."""

    @abstractmethod
    def update(self, completed: Completed) -> None:
        """Add a batch, which may be empty but holds no image twice."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """A number for each column; a column may be left out."""


Metric = ImageMetric | SetMetric


@runtime_checkable
class NeedsData(Protocol):
    """A metric that is made ready for a data set, such as by a classifier of its labels."""

    def prepare(self, data: Any) -> None:
        """Make ready to measure images of a data module, before any training.

        Raises:
            InputError: the data lacks what the metric needs.
        """


def columns_of(metrics: Iterable[Metric]) -> Columns:
    """The columns of several metrics, in their order.

    Raises:
        InputError: two of them measure a number of the same name.
    """
    return named(column for metric in metrics for column in metric.columns)


def declared(metric: Metric, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a metric, all of which it has declared.

    Raises:
        ValueError: names the metric and the number that it forgot to declare.
    """
    unknown = set(values) - {column.name for column in metric.columns}
    if unknown:
        raise ValueError(
            f"{type(metric).__name__} measured {', '.join(sorted(unknown))}, which its columns do "
            "not declare"
        )
    return values
