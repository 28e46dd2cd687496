"""How sharp completions are, compared with the images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.images.evaluated import Completed
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.totals import Totals


class Sharpness(SetMetric):
    """Ratio of the squared Laplacian in the holes, completions to images.

    The true images score 1. A blurred completion scores less and a noisy one may score more, so
    neither end is better. The ratio is that of the sums over the set, because a smooth image has
    next to no Laplacian to divide by.
    """

    columns = (
        Column(
            name="sharpness",
            heading="sharpness",
            digits=3,
            direction="none",
            scope="set",
            truth=1.0,
            brief=True,
        ),
    )
    packages = ("torchmetrics",)

    def __init__(self) -> None:
        self._sums = Totals("completions", "images")

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._sums.restart(device)

    @torch.no_grad()
    def update(self, completed: Completed) -> None:
        """Add a batch."""
        hole = completed.mask > 0.5
        completions, images = (
            torch.where(hole, laplacian(image).square(), 0).double().sum()
            for image in (completed.saved, completed.image.float())
        )
        self._sums.add(completions=completions, images=images)

    def compute(self) -> dict[str, float]:
        """Return the ratio; NaN without holes, for smooth images or a broken completion."""
        completions, images = self._sums.read().values()
        return {"sharpness": completions / images if images else math.nan}


def laplacian(image: Tensor) -> Tensor:
    """Return the sum of the differences to the four neighbours, (B, C, H, W); borders repeat."""
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    around = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    return around - 4 * image
