"""Faults of texture that report 000 saw by eye: lines along axes, and oddities on flat ground."""

import math

import torch
from torch import Tensor

from inpainting.images.evaluated import Completed
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.totals import Totals

# Tangent of 11.25 degrees: edges that close to an axis, a quarter of all directions, are along it.
NARROW = math.tan(math.pi / 16)
FLAT = 0.05  # standard deviation below which a hole's ground counts as flat


def _column(name: str, heading: str, direction: str, truth: float) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=3,
        direction=direction,
        scope="set",
        truth=truth,
        brief=False,
    )


def axis_energy(image: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients' energy in the holes, of edges along the axes and of all; two scalars.

    Edges between the hole and what lies beside it do not count.

    Args:
        image: (B, C, H, W)
        hole: (B, 1, H, W) bool
    """
    down = image[..., 1:, :-1] - image[..., :-1, :-1]
    right = image[..., :-1, 1:] - image[..., :-1, :-1]
    within = hole[..., :-1, :-1] & hole[..., 1:, :-1] & hole[..., :-1, 1:]
    energy = (down.square() + right.square()) * within
    steep, flat = torch.maximum(down.abs(), right.abs()), torch.minimum(down.abs(), right.abs())
    return (energy * (flat < NARROW * steep)).sum(), energy.sum()


SUMS = ("axis", "all", "true_axis", "true_all", "contrast", "true_contrast")


class Texture(SetMetric):
    """Lines along the axes, and contrast on flat ground.

    - `axis_lines`: share of the gradients' energy in the holes whose edges lie along an axis, in
      the completions, minus that in the images
    - `flat_contrast`: mean standard deviation of the completions in holes whose true ground is
      flat, as a multiple of the images'
    """

    columns = (
        _column("axis_lines", "lines along axes", "none", 0.0),
        _column("flat_contrast", "contrast on flat ground", "none", 1.0),
    )
    packages = ("torchmetrics",)

    def __init__(self) -> None:
        self._sums = Totals(*SUMS)

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._sums.restart(device)

    @torch.no_grad()
    def update(self, completed: Completed) -> None:
        """Add a batch."""
        hole, image = completed.mask > 0.5, completed.image.float()
        found, true = axis_energy(completed.saved, hole), axis_energy(image, hole)
        deviation, true_deviation = (_deviation(one, hole) for one in (completed.saved, image))
        flat = (true_deviation < FLAT) & hole.flatten(1).any(1)
        values = [*found, *true, deviation[flat].sum(), true_deviation[flat].sum()]
        self._sums.add(**dict(zip(SUMS, values, strict=True)))

    def compute(self) -> dict[str, float]:
        """Return both numbers; NaN where there is nothing to measure."""
        axis, every, true_axis, true_every, contrast, true_contrast = self._sums.read().values()
        measurable = every > 0 and true_every > 0
        return {
            "axis_lines": axis / every - true_axis / true_every if measurable else math.nan,
            "flat_contrast": contrast / true_contrast if true_contrast else math.nan,
        }


def _deviation(image: Tensor, hole: Tensor) -> Tensor:
    """Return the standard deviation in the hole of each image (B, C, H, W), (B,)."""
    count = hole.sum((2, 3)).clamp(min=1)  # (B, 1)
    mean = (image * hole).sum((2, 3)) / count
    squared = ((image - mean[..., None, None]).square() * hole).sum((2, 3)) / count
    return squared.mean(1).sqrt()
