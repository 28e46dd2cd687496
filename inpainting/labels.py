"""Whether completions still show what their pictures are labelled as, by a classifier of the data.

Agreement of each image; of the set the Fréchet distance (Heusel et al. 2017, arXiv 1706.08500)
between the classifier's features of images and completions.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric
from torchmetrics.image.fid import FrechetInceptionDistance

from inpainting.errors import InputError
from inpainting.image import to_eight_bits
from inpainting.metrics import InpaintingMetrics

UNLABELLED = (
    "metrics=labels needs labelled data: type data=mnist or data=digits, or metrics=default"
)


class LabelMetrics(InpaintingMetrics):
    """`InpaintingMetrics` with `label_agreement` for each image, and two numbers of the set.

    `label_agreement` is 1 where the classifier reads the completion as the picture's label, else
    0; of the set `label_agreement_untouched` is the same for the images themselves, which is what
    good completions can reach, and `frechet` the distance of features. That one is biased: it falls
    as the number of images grows, so only sets of equally many compare. `setup` comes before all
    else. On several processes, all of them must call `compute_set`.

    Args:
        local_share: side of the local crop as a share of the image's, in (0, 1]
        classifier: from a data module to a module that has `num_features`; called with images
            (B, C, H, W) in [0, 1] it gives logits (B, classes), and its `features` gives
            (B, num_features). It is used as it is: frozen and in evaluation mode
    """

    def __init__(self, local_share: float = 28 / 64, *, classifier: Callable[[Any], nn.Module]):
        super().__init__(local_share)
        self._classifier_of = classifier
        self._data: Any = None
        self._classifier: nn.Module | None = None

    def setup(self, data: Any) -> None:
        """Take the classifier of this data, see `InpaintingMetrics`.

        Raises:
            InputError: the data has no labels.
        """
        if data is self._data and self._classifier is not None:
            return
        self._classifier, self._data = self._classifier_of(data), data
        self._frechet = FrechetInceptionDistance(_Features(self._classifier))
        self._untouched, self._count = SumMetric(), SumMetric()

    @torch.no_grad()
    def __call__(
        self, completion: Tensor, image: Tensor, mask: Tensor, label: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Measure a batch, as `InpaintingMetrics` does, and `label_agreement` (B,).

        Raises:
            InputError: there is no label.
        """
        metrics = super().__call__(completion, image, mask, label)
        return metrics | {"label_agreement": self._agreement(completion, label)}

    def _agreement(self, image: Tensor, label: Tensor | None) -> Tensor:
        """1 where the label is read, else 0; NaN for a broken image; (B,) float32."""
        if label is None:
            raise InputError(UNLABELLED)
        logits = self._classifier.to(image.device)(to_eight_bits(image.float()))
        agreement = (logits.argmax(1) == label).float()
        return torch.where(logits.isfinite().all(1), agreement, torch.nan)

    def to(self, device: torch.device | str) -> "LabelMetrics":
        """Move the classifier and the sums of the set."""
        for module in (self._classifier, self._frechet, self._untouched, self._count):
            module.to(device)
        return self

    def update_set(
        self, completion: Tensor, image: Tensor, keep: Tensor, label: Tensor | None = None
    ) -> None:
        """Add a batch to what is measured of the set, see `InpaintingMetrics`."""
        if not keep.any():
            return
        # Out of inference mode, which would taint the sums that later batches add to.
        with torch.inference_mode(False), torch.no_grad():
            self.to(image.device)
            for pictures, real in ((image, True), (completion, False)):
                self._frechet.update(to_eight_bits(pictures[keep].float()), real=real)
            self._untouched.update(self._agreement(image, label)[keep])
            self._count.update(keep.sum())

    def compute_set(self) -> dict[str, float]:
        """`frechet` and `label_agreement_untouched` of all batches since `reset_set`.

        The distance is NaN for fewer than two images, and for completions that are not finite.
        """
        distance = untouched = float("nan")
        with torch.inference_mode(False), torch.no_grad():
            number = int(self._count.compute())
            if number:
                untouched = float(self._untouched.compute()) / number
            if number > 1:
                with suppress(torch.linalg.LinAlgError):
                    distance = float(self._frechet.compute())
        return {"frechet": distance, "label_agreement_untouched": untouched}

    def reset_set(self) -> None:
        """Start a new set."""
        with torch.inference_mode(False):
            for metric in (self._frechet, self._untouched, self._count):
                metric.reset()


class _Features(nn.Module):
    """The features of a classifier, as torchmetrics calls for them."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier, self.num_features = classifier, classifier.num_features

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier.features(image)
