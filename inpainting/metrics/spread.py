"""The spread of several completions of one hole."""

import torch
from torch import Tensor

from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric
from inpainting.metrics.columns import Column


class Spread(ImageMetric):
    """Standard deviation (with k - 1) of hole pixels and channels among an image's k completions.

    The spread is averaged over the hole, is NaN for an image without a hole, and is left out if
    there is only one completion. Neither end is better: a method that is certain of its completion
    has little spread.
    """

    columns = (
        Column(
            name="spread",
            heading="spread",
            digits=4,
            direction="none",
            scope="hole",
            truth=None,
            brief=True,
        ),
    )

    @torch.no_grad()
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch; see `ImageMetric`."""
        if completed.completion.shape[1] < 2:
            return {}
        deviation = to_eight_bits(completed.completion.float()).std(1)  # (B, C, H, W)
        hole = completed.mask > 0.5
        total = torch.where(hole, deviation, 0).sum((1, 2, 3))
        return {"spread": total / (hole.sum((1, 2, 3)) * deviation.shape[1])}
