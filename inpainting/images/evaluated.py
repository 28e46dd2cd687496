"""The results of an evaluated batch, which a method hands to the metrics and the grids."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from inpainting.images.algebra import to_eight_bits


@dataclass(frozen=True)
class Completed:
    """Images together with a method's completions of them.

    Attributes:
        index: (B,) int64, the position of each image in its split
        image: (B, C, H, W) in [0, 1]
        mask: (B, 1, H, W) in [0, 1], 1 = hole
        prediction: (B, k, C, H, W), k predictions per image, before they are pasted into the hole
        completion: (B, k, C, H, W), the predictions pasted into the hole
        label: (B,) int64, or None if the data set has no classes
        attributes: (B, A) float32, the images' own, or None if the data set has none
        ways: (B, A, 2, C, H, W), for each attribute a completion that is to lack it and one
            that is to show it; None if the method has no attributes
        numbers: when called, what the method itself measures of each image, (B,) by name; a metric
            that wants it asks before the next batch
    """

    index: Tensor
    image: Tensor
    mask: Tensor
    prediction: Tensor
    completion: Tensor
    label: Tensor | None = None
    attributes: Tensor | None = None
    ways: Tensor | None = None
    numbers: Callable[[], dict[str, Tensor]] = dict

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.index)

    def __getitem__(self, keep: Tensor | slice) -> "Completed":
        """Select images by a (B,) bool tensor or a slice."""
        return self._each(lambda values: values[keep])

    def to(self, device: torch.device) -> "Completed":
        """Return the same images on a device, or these themselves if they are there."""
        if self.image.device == device:
            return self
        return self._each(lambda values: values.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Completed":
        def numbers() -> dict[str, Tensor]:
            return {name: change(values) for name, values in self.numbers().items()}

        values = (getattr(self, one.name) for one in fields(self) if one.name != "numbers")
        return Completed(*(None if value is None else change(value) for value in values), numbers)

    @property
    def first(self) -> Tensor:
        """The first completion of each image, (B, C, H, W)."""
        return self.completion[:, 0]

    @cached_property
    def saved(self) -> Tensor:
        """The first completion, rounded to 8 bits as in a file; (B, C, H, W) float32 in [0, 1]."""
        return to_eight_bits(self.first.float())


@dataclass(frozen=True)
class Evaluated:
    """The results of one validation or test batch.

    Attributes:
        index: (B,) int64, the positions of all images of the batch in their split
        loss: (B,), or None if the method has no loss for these images
        completed: the images of the batch that were completed; None if none were
    """

    index: Tensor
    loss: Tensor | None
    completed: Completed | None
