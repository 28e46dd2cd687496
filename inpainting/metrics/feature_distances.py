"""Distances between sets of images and completions, in the features of a classifier of the data."""

import math
import warnings
from abc import abstractmethod
from typing import Any

import torch
import torchmetrics
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import distance_column
from inpainting.metrics.labels import ClassifierOf
from inpainting.metrics.totals import Totals


class FeatureDistance(SetMetric):
    """A distance between the features of images and of completions; the base class of both.

    Args:
        classifier: see `ClassifierOf`; called once per data module
    """

    packages = ("torchmetrics",)
    at_validation = False  # the distance says little about the few images of a validation

    def __init__(self, classifier: ClassifierOf):
        self._classifier_of, self._data = classifier, None
        self._sums = Totals("count", "broken")

    @abstractmethod
    def build(self, features: nn.Module) -> torchmetrics.Metric:
        """Return torchmetrics' metric of these features."""

    @abstractmethod
    def value(self, distance: torchmetrics.Metric, number: int) -> Tensor:
        """Return the distance of sets of `number` images, 2 or more."""

    def prepare(self, data: Any) -> None:
        """Get the classifier of this data.

        Raises:
            InputError: the data has nothing to classify.
        """
        if data is not self._data:
            self._distance = self.build(_Features(self._classifier_of(data)))
            self._data = data

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._sums.restart(device)
        with torch.inference_mode(False):
            self._distance.to(device).reset()

    def update(self, completed: Completed) -> None:
        """Add a batch."""
        if not len(completed):
            return
        # Later batches could not add to sums that were created in inference mode.
        with torch.inference_mode(False), torch.no_grad():
            for images, real in ((completed.image, True), (completed.first, False)):
                self._distance.update(to_eight_bits(images.float()), real=real)
        broken = (~completed.first.isfinite()).flatten(1).any(1)
        self._sums.add(
            count=torch.as_tensor(len(broken), device=broken.device), broken=broken.sum()
        )

    def compute(self) -> dict[str, float]:
        """Return the distance; NaN for fewer than two images or for non-finite completions."""
        with torch.inference_mode(False), torch.no_grad():
            number, broken = (int(total) for total in self._sums.read().values())
            # A non-finite matrix must not reach the eigenvalue solver: oneMKL ends the process.
            measurable = number > 1 and not broken
            distance = float(self.value(self._distance, number)) if measurable else math.nan
            return {self.columns[0].name: distance}


class FrechetDistance(FeatureDistance):
    """The Fréchet distance (arXiv 1706.08500).

    The distance is biased: it falls as the number of images grows, so only sets of equal size can
    be compared.
    """

    columns = (distance_column("frechet", "Fréchet", 3),)

    def build(self, features: nn.Module) -> FrechetInceptionDistance:
        """See `FeatureDistance`."""
        return FrechetInceptionDistance(features)

    def value(self, distance: FrechetInceptionDistance, number: int) -> Tensor:
        """See `FeatureDistance`."""
        return distance.compute()


class KernelDistance(FeatureDistance):
    """KID's estimate of the kernel distance (arXiv 1801.01401), with its kernel (x·y / d + 1)³.

    Unlike the Fréchet distance it is unbiased, which matters for some hundred images. It is no KID:
    that is in Inception's features.
    """

    columns = (distance_column("kernel_distance", "kernel distance", 4),)

    def build(self, features: nn.Module) -> KernelInceptionDistance:
        """See `FeatureDistance`."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save")
            return KernelInceptionDistance(features, subsets=1)

    def value(self, distance: KernelInceptionDistance, number: int) -> Tensor:
        """See `FeatureDistance`."""
        distance.subset_size = number  # the whole set at once
        with torch.random.fork_rng(devices=[]):  # torchmetrics shuffles even so
            return distance.compute()[0]


class _Features(nn.Module):
    """A classifier's features as a module, which is what torchmetrics expects."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier, self.num_features = classifier, classifier.num_features

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier.features(image)
