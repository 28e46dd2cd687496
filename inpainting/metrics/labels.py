"""A metric that judges with a classifier of the data whether completions still show the label."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric
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
