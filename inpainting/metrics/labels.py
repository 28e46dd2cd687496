"""Metrics that judge with a classifier of the data whether completions still show the label."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric
from torchmetrics.image.fid import FrechetInceptionDistance

from inpainting.errors import InputError
from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric, SetMetric
from inpainting.metrics.columns import Column

UNLABELLED = (
    "metrics=labels needs labelled data: type data=mnist or data=digits, or metrics=default"
)

# Maps a data module to a frozen module in evaluation mode. That module maps images (B, C, H, W) in
# [0, 1] to logits (B, classes), and its method `features` maps them to (B, num_features).
ClassifierOf = Callable[[Any], nn.Module]


def _agreement(name: str, heading: str, direction: str, truth: float | None) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=3,
        direction=direction,
        scope="whole",
        truth=truth,
        brief=direction != "none",
    )


class LabelAgreement(ImageMetric):
    """Label agreement: 1 if a classifier assigns the image's label to the completion, else 0.

    `label_agreement_untouched` is the same number for the images themselves, which good completions
    can reach.

    Args:
        classifier: see `ClassifierOf`; called once per data module
    """

    columns = (
        _agreement("label_agreement", "label agreement", "max", None),
        _agreement("label_agreement_untouched", "label agreement, untouched", "none", None),
    )

    def __init__(self, classifier: ClassifierOf):
        self._classifier_of, self._data = classifier, None

    def prepare(self, data: Any) -> None:
        """Get the classifier of this data.

        Raises:
            InputError: the data has no labels.
        """
        if data is not self._data:
            self._classifier, self._data = self._classifier_of(data), data

    @torch.no_grad()
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch; see `ImageMetric`.

        Raises:
            InputError: the batch has no labels.
        """
        if completed.label is None:
            raise InputError(UNLABELLED)
        classifier = self._classifier.to(completed.image.device)

        def agreement(image: Tensor) -> Tensor:
            logits = classifier(to_eight_bits(image.float()))
            right = (logits.argmax(1) == completed.label).float()
            return torch.where(logits.isfinite().all(1), right, torch.nan)

        return {
            "label_agreement": agreement(completed.first),
            "label_agreement_untouched": agreement(completed.image),
        }


class FrechetDistance(SetMetric):
    """The Fréchet distance (arXiv 1706.08500) between the features of images and completions.

    The distance is biased: it falls as the number of images grows, so only sets of equal size can
    be compared.

    Args:
        classifier: see `ClassifierOf`; called once per data module
    """

    columns = (
        Column(
            name="frechet",
            heading="Fréchet",
            digits=3,
            direction="min",
            scope="set",
            truth=0.0,
            brief=True,
        ),
    )
    packages = ("torchmetrics",)
    at_validation = False  # the distance says little about the few images of a validation

    def __init__(self, classifier: ClassifierOf):
        self._classifier_of, self._data = classifier, None
        self._count, self._broken = SumMetric(), SumMetric()

    def prepare(self, data: Any) -> None:
        """Get the classifier of this data.

        Raises:
            InputError: the data has no labels.
        """
        if data is not self._data:
            self._frechet = FrechetInceptionDistance(_Features(self._classifier_of(data)))
            self._data = data

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        with torch.inference_mode(False):
            for metric in (self._frechet, self._count, self._broken):
                metric.to(device).reset()

    def update(self, completed: Completed) -> None:
        """Add a batch."""
        if not len(completed):
            return
        # Later batches could not add to sums that were created in inference mode.
        with torch.inference_mode(False), torch.no_grad():
            for images, real in ((completed.image, True), (completed.first, False)):
                self._frechet.update(to_eight_bits(images.float()), real=real)
            self._count.update(len(completed))
            self._broken.update((~completed.first.isfinite()).flatten(1).any(1).sum())

    def compute(self) -> dict[str, float]:
        """Return the distance; NaN for fewer than two images or for non-finite completions."""
        with torch.inference_mode(False), torch.no_grad():
            number, broken = int(self._count.compute()), int(self._broken.compute())
            # A non-finite matrix must not reach the eigenvalue solver: oneMKL ends the process.
            measurable = number > 1 and not broken
            return {"frechet": float(self._frechet.compute()) if measurable else math.nan}


class _Features(nn.Module):
    """A classifier's features as a module, which is what torchmetrics expects."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier, self.num_features = classifier, classifier.num_features

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier.features(image)
