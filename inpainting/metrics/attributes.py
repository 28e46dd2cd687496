"""Metrics that judge with a classifier whether completions show the attributes asked for.

The judge is trained on the same images as the methods, from a seed of its own, and no method learns
from it. It errs, so its agreement with the untouched images stands beside every number.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric, SetMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.totals import Totals

UNLISTED = (
    "metrics=attributes needs images with attributes: type data=faces or data=celeba, or "
    "metrics=default"
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
            InputError: the images have no attributes.
        """
        if data is self._data:
            return
        split = next(iter(data.datasets.values())).split
        if split.attributes is None:
            raise InputError(UNLISTED)
        self._network, self._data = self._judge_of(data), data
        names = [name.lower() for name in split.attribute_names]
        self.told = [names.index(name.lower()) for name in data.attributes]
        self.others = [index for index in range(len(names)) if index not in self.told]

    def __call__(self, image: Tensor) -> Tensor:
        """Return which attributes images (B, C, H, W) show: (B, A) bool."""
        return self._network.to(image.device)(to_eight_bits(image.float())) > 0


def _share(
    name: str, heading: str, direction: str, truth: float | None = None, brief: bool = False
) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=3,
        direction=direction,
        scope="whole",
        truth=truth,
        brief=brief,
    )


class AttributeSteering(ImageMetric):
    """What the judge sees in completions.

    - `attribute_agreement`: share of all attributes that it sees alike in the untouched image and
      in the completion

    The others are means over the attributes that the method is told; a method without attributes
    has none of them:

    - `judge_right`: 1 if the judge sees in the untouched image what it is labelled with
    - `asked_on`, `asked_off`: 1 if it sees the attribute in a completion that is to show it, or to
      lack it
    - `steering`: `asked_on` minus `asked_off`
    - `drift`: share of the other attributes that the judge sees differently in the untouched image
      and in the completion that is to be unlike it
    - `change`: mean absolute difference, outside the hole, of the image and the completion that is
      to be unlike it; 0 by construction where a hole is filled, not where an image is edited

    Args:
        judge: see `JudgeOf`
    """

    columns = (
        _share("attribute_agreement", "attribute agreement", "max", truth=1.0),
        _share("judge_right", "judge right", "none"),
        _share("asked_on", "shown when asked for", "none"),
        _share("asked_off", "shown when not wanted", "none"),
        _share("steering", "steering", "max", brief=True),
        _share("drift", "drift", "min", truth=0.0, brief=True),
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
        untouched, seen = self._judge(completed.image), self._judge(completed.first)
        broken = ~completed.first.isfinite().flatten(1).all(1)
        found = {"attribute_agreement": (seen == untouched).float().mean(1)}
        if completed.ways is not None:
            found |= self._steering(completed, untouched)
        return {name: torch.where(broken, torch.nan, values) for name, values in found.items()}

    def _steering(self, completed: Completed, untouched: Tensor) -> dict[str, Tensor]:
        """Measure completions that are to lack and to show each attribute."""
        told, own = self._judge.told, labelled(completed) > 0.5  # (B, told)
        seen = torch.stack([self._judge(way) for way in completed.ways.flatten(1, 2).unbind(1)])
        seen = seen.unflatten(0, (-1, 2))  # (told, 2, B, A)
        asked = seen[torch.arange(len(told)), :, :, told].float().mean(0)  # (2, B)
        found = {"judge_right": (untouched[:, told] == own).float().mean(1)}
        found |= {"asked_on": asked[1], "asked_off": asked[0], "steering": asked[1] - asked[0]}
        # Of each attribute, the way that is unlike the image's own
        unlike = torch.where(
            own[:, :, None, None, None], completed.ways[:, :, 0], completed.ways[:, :, 1]
        )
        difference = (unlike - completed.image[:, None]).abs()  # (B, told, C, H, W)
        known = (completed.mask <= 0)[:, None].expand_as(difference)
        total = torch.where(known, difference, 0).flatten(1).sum(1)
        found["change"] = total / known.flatten(1).sum(1).clamp(min=1)
        if self._judge.others:
            differently = torch.where(own.T[..., None], seen[:, 0], seen[:, 1]) != untouched
            found["drift"] = differently[..., self._judge.others].float().mean((0, 2))
        return found


def labelled(completed: Completed) -> Tensor:
    """Return the attributes (B, A) that the images are labelled with.

    Raises:
        InputError: the batches tell none.
    """
    if completed.attributes is None:
        raise InputError(
            "data.attributes=[]: metrics=attributes measures against what the images are labelled "
            "with; type data.attributes with the names that the model is told"
        )
    return completed.attributes


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
            brief=False,
        ),
        Column(
            name="flip_off",
            heading="flipped off",
            digits=3,
            direction="max",
            scope="set",
            truth=None,
            brief=False,
        ),
    )
    packages = ("torchmetrics",)

    def __init__(self, judge: JudgeOf):
        self._judge = Judge(judge)
        self._sums = Totals("on", "lacking", "off", "having")
        self._steered = False

    def prepare(self, data: Any) -> None:
        """Get the judge of this data; see `Judge`."""
        self._judge.prepare(data)

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._steered = False
        self._sums.restart(device)

    @torch.no_grad()
    def update(self, completed: Completed) -> None:
        """Add a batch."""
        if completed.ways is None or not len(completed):
            return
        self._steered, own = True, labelled(completed) > 0.5
        on = off = torch.zeros((), device=own.device)
        for number, column in enumerate(self._judge.told):
            lack, show = (
                self._judge(way)[:, column] for way in completed.ways[:, number].unbind(1)
            )
            on = on + (show & ~own[:, number]).sum()
            off = off + (~lack & own[:, number]).sum()
        self._sums.add(on=on, lacking=(~own).sum(), off=off, having=own.sum())

    def compute(self) -> dict[str, float]:
        """Return both shares; none for a method without attributes."""
        if not self._steered:
            return {}
        on, lacking, off, having = self._sums.read().values()
        return {
            "flip_on": on / lacking if lacking else math.nan,
            "flip_off": off / having if having else math.nan,
        }
