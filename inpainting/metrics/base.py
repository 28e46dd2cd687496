"""The interfaces of metrics: a measurement of each image, or one of the whole set."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from inpainting.images.evaluated import Completed
from inpainting.metrics.columns import LOSS, Column, Columns, named


class ImageMetric(ABC):
    """Measures each image separately; the value of a set is the mean over its images.

    Attributes:
        columns: what the metric measures
        packages: installed packages whose version the numbers depend on
    """

    columns: ClassVar[tuple[Column, ...]]
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch on its device.

        Returns:
            (B,) float32 for each column. NaN means that there was nothing to measure, which only
            happens to a column of scope "hole", or that the completion is broken. A column may be
            missing, for example because its weights are.
        """


class SetMetric(ABC):
    """Measures a set of images as a whole.

    On several processes, each process gets its share of the images in `update`, and `compute` must
    return the number of the whole set on every process. Sums that are kept in the states of a
    `torchmetrics` metric are added up over the processes; see `PooledPSNR`.

    Attributes:
        columns: what the metric measures, all of scope "set"
        packages: installed packages whose version the numbers depend on
        at_validation: False if the metric is too slow for every validation; the test always
            measures it
    """

    columns: ClassVar[tuple[Column, ...]]
    packages: ClassVar[tuple[str, ...]] = ()
    at_validation: ClassVar[bool] = True

    @abstractmethod
    def reset(self, device: torch.device) -> None:
        """Start a new set, whose images will be on this device."""

    @abstractmethod
    def update(self, completed: Completed) -> None:
        """Add a batch, which may be empty but contains no image twice."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return a number for each column; a column may be missing."""


Metric = ImageMetric | SetMetric


@runtime_checkable
class NeedsData(Protocol):
    """A metric that must be prepared for a data set, for example with a classifier of labels."""

    def prepare(self, data: Any) -> None:
        """Prepare to measure images of a data module, before any training.

        Raises:
            InputError: the data lacks what the metric needs.
        """


def columns_of(metrics: Iterable[Metric]) -> Columns:
    """Return the columns of several metrics, in their order.

    Raises:
        InputError: two metrics measure a number of the same name.
    """
    return named(column for metric in metrics for column in metric.columns)


def validated(metrics: Iterable[Metric]) -> Columns:
    """Return the columns of every validation, which may choose the best checkpoint."""
    every = [
        metric for metric in metrics if isinstance(metric, ImageMetric) or metric.at_validation
    ]
    return named([*columns_of(every).values(), LOSS])


def declared(metric: Metric, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a metric after checking that its columns declare all of them.

    Raises:
        ValueError: a value is undeclared; the message names the metric and the value.
    """
    unknown = set(values) - {column.name for column in metric.columns}
    if unknown:
        raise ValueError(
            f"{type(metric).__name__} measured {', '.join(sorted(unknown))}, which its columns do "
            "not declare"
        )
    return values
