"""The PSNR pooled over all hole pixels of a set."""

import math

import torch

from inpainting.images.evaluated import Completed
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.reconstruction import MAX_PSNR, hole_error
from inpainting.metrics.totals import Totals


class PooledPSNR(SetMetric):
    """PSNR of the mean squared error over the hole pixels of all images.

    The mean of the PSNR of each image gives a hole in an empty background, where nothing can go
    wrong, as much weight as any other: erased MNIST digits score 13.4 dB as a mean over images and
    7.5 dB pooled.
    """

    columns = (
        Column(
            name="psnr_hole_pooled",
            heading="PSNR hole, pooled",
            digits=2,
            direction="max",
            scope="set",
            truth=MAX_PSNR,
            brief=False,
        ),
    )
    at_validation = True

    def __init__(self) -> None:
        self._sums = Totals("squared", "values")

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._sums.restart(device)

    @torch.no_grad()
    def update(self, completed: Completed) -> None:
        """Add a batch."""
        hole = completed.mask > 0.5
        _, squared = hole_error(completed.saved, completed.image.float(), hole)
        values = hole.sum() * completed.image.shape[1]
        self._sums.add(squared=squared.double().sum(), values=values)

    def compute(self) -> dict[str, float]:
        """Return the number; NaN for a set without any hole or with a broken completion."""
        squared, values = self._sums.read().values()
        if not values or math.isnan(squared):
            return {"psnr_hole_pooled": math.nan}
        error = squared / values
        return {"psnr_hole_pooled": min(-10 * math.log10(error), MAX_PSNR) if error else MAX_PSNR}
