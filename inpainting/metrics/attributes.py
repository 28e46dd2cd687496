"""Metrics that judge with a classifier whether completions show the attributes asked for.

The judge is trained on the same images as the methods, from a seed of its own, and no method learns
from it. It errs, so its agreement with the untouched images stands beside every number.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric

from inpainting.errors import InputError
from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric, SetMetric
from inpainting.metrics.columns import Column

UNTOLD = (
    "metrics=attributes needs images with attributes that a method is told: type data=faces or "
    "data=celeba, with data.attributes=[NAME,...], or metrics=default"
)

# Maps a data module to a frozen module in evaluation mode, which maps images (B, C, H, W) in [0, 1]
# to logits (B, A) of all attributes of the data; above 0 means present.
JudgeOf = Callable[[Any], nn.Module]


class Judge:
    """The judge of a data set's attributes, got when the data are known.

    Args:
        judge: see `JudgeOf`; called once per data module
    """

    def __init__(self, judge: JudgeOf):
        self._judge_of, self._data = judge, None

    def prepare(self, data: Any) -> None:
        """Get the judge of this data, and which of its attributes the methods are told.

        Raises:
            InputError: the methods are told no attribute.
        """
        if data is self._data:
            return
        if not data.attributes:
            raise InputError(UNTOLD)
        self._network, self._data = self._judge_of(data), data
        split = next(iter(data.datasets.values())).split
        names = [name.lower() for name in split.attribute_names]
        self.told = [names.index(name.lower()) for name in data.attributes]
        self.others = [index for index in range(len(names)) if index not in self.told]

    def __call__(self, image: Tensor) -> Tensor:
        """Return which attributes images (B, C, H, W) show: (B, A) bool."""
        return self._network.to(image.device)(to_eight_bits(image.float())) > 0


def _share(name: str, heading: str, direction: str, truth: float | None = None) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=3,
        direction=direction,
        scope="whole",
        truth=truth,
        brief=direction != "none",
    )


class AttributeSteering(ImageMetric):
    """What the judge sees in completions, as means over the attributes that the method is told.

    - `attribute_agreement`: 1 if a completion shows what its image is labelled with
    - `attribute_agreement_untouched`: the same of the untouched image: the judge's accuracy
    - `asked_on`, `asked_off`: 1 if the judge sees the attribute in a completion that is to show it,
      or to lack it
    - `steering`: `asked_on` minus `asked_off`
    - `drift`: share of the other attributes that the judge sees differently in the untouched image
      and in the completion that is to be unlike it
    - `change`: mean absolute difference, outside the hole, of the image and the completion that is
      to be unlike it; 0 by construction where a hole is filled, not where an image is edited

    Methods without attributes have the first two alone.

    Args:
        judge: see `JudgeOf`
    """

    columns = (
        _share("attribute_agreement", "attribute agreement", "max"),
        _share("attribute_agreement_untouched", "attribute agreement, untouched", "none"),
        _share("asked_on", "shown when asked for", "none"),
        _share("asked_off", "shown when not wanted", "none"),
        _share("steering", "steering", "max"),
        _share("drift", "drift", "min", truth=0.0),
        Column(
            name="change",
            heading="change outside the hole",
            digits=4,
            direction="min",
            scope="whole",
            truth=0.0,
            brief=False,
        ),
    )

    def __init__(self, judge: JudgeOf):
        self._judge = Judge(judge)

    def prepare(self, data: Any) -> None:
        """Get the judge of this data; see `Judge`."""
        self._judge.prepare(data)

    @torch.no_grad()
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch; see `ImageMetric`."""
        own = completed.attributes > 0.5  # (B, told)
        untouched, told = self._judge(completed.image), self._judge.told

        def mean(right: Tensor) -> Tensor:
            return right.float().mean(1)

        broken = ~completed.first.isfinite().flatten(1).all(1)
        found = {
            "attribute_agreement": mean(self._judge(completed.first)[:, told] == own),
            "attribute_agreement_untouched": mean(untouched[:, told] == own),
        }
        if completed.ways is not None:
            seen = torch.stack([self._judge(way) for way in completed.ways.flatten(1, 2).unbind(1)])
            seen = seen.unflatten(0, (-1, 2))  # (told, 2, B, A)
            asked = seen[torch.arange(len(told)), :, :, told].permute(1, 2, 0)  # (2, B, told)
            found["asked_off"], found["asked_on"] = mean(asked[0]), mean(asked[1])
            found["steering"] = found["asked_on"] - found["asked_off"]
            choice = own[:, :, None, None, None, None]  # the way that is unlike the image
            unlike_images = torch.where(choice, completed.ways[:, :, :1], completed.ways[:, :, 1:])
            difference = (unlike_images[:, :, 0] - completed.image[:, None]).abs()
            known = (completed.mask <= 0)[:, None].expand_as(difference)
            total = torch.where(known, difference, 0).flatten(1).sum(1)
            found["change"] = total / known.flatten(1).sum(1).clamp(min=1)
            if self._judge.others:
                unlike = torch.where(own.T[..., None], seen[:, 0], seen[:, 1])  # (told, B, A)
                moved = (unlike != untouched)[..., self._judge.others].float()
                found["drift"] = moved.mean((0, 2))
        return {name: torch.where(broken, torch.nan, values) for name, values in found.items()}


class AttributeFlips(SetMetric):
    """How often an attribute appears, or disappears, when a completion is to be unlike its image.

    - `flip_on`: share of the images without an attribute in whose completion the judge sees it
    - `flip_off`: share of the images with an attribute in whose completion the judge misses it

    Args:
        judge: see `JudgeOf`
    """

    columns = (
        Column(
            name="flip_on",
            heading="flipped on",
            digits=3,
            direction="max",
            scope="set",
            truth=None,
            brief=True,
        ),
        Column(
            name="flip_off",
            heading="flipped off",
            digits=3,
            direction="max",
            scope="set",
            truth=None,
            brief=True,
        ),
    )
    packages = ("torchmetrics",)

    def __init__(self, judge: JudgeOf):
        self._judge = Judge(judge)
        self._sums = {name: SumMetric() for name in ("on", "lacking", "off", "having", "ways")}

    def prepare(self, data: Any) -> None:
        """Get the judge of this data; see `Judge`."""
        self._judge.prepare(data)

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        with torch.inference_mode(False):
            for total in self._sums.values():
                total.to(device).reset()

    @torch.no_grad()
    def update(self, completed: Completed) -> None:
        """Add a batch."""
        if completed.ways is None or not len(completed):
            return
        own = completed.attributes > 0.5
        counts = {"lacking": (~own).sum(), "having": own.sum(), "ways": len(own), "on": 0, "off": 0}
        for number, column in enumerate(self._judge.told):
            off, on = (self._judge(way)[:, column] for way in completed.ways[:, number].unbind(1))
            counts["on"] += (on & ~own[:, number]).sum()
            counts["off"] += (~off & own[:, number]).sum()
        with torch.inference_mode(False):  # later batches could not add to sums created in it
            for name, count in counts.items():
                self._sums[name].update(torch.as_tensor(count).clone())

    def compute(self) -> dict[str, float]:
        """Return both shares; none for a method without attributes."""
        on, lacking, off, having, ways = (float(total.compute()) for total in self._sums.values())
        if not ways:
            return {}
        return {
            "flip_on": on / lacking if lacking else math.nan,
            "flip_off": off / having if having else math.nan,
        }
