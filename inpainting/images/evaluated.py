"""What a method hands over of an evaluated batch, to be measured and drawn."""

from dataclasses import dataclass, fields
from functools import cached_property

from torch import Tensor

from inpainting.images.algebra import to_eight_bits


@dataclass(frozen=True)
class Completed:
    """Images with the completions that a method gave them.

    Attributes:
        index: (B,) int64, the image's place in its split
        image: (B, C, H, W) in [0, 1]
        mask: (B, 1, H, W) in [0, 1], 1 = hole
        prediction: (B, k, C, H, W), the network's k answers before the known pixels are pasted in
        completion: (B, k, C, H, W), the same after
        label: (B,) int64, or None where the data has no classes
        attributes: (B, A) float32, or None where the data has none
    """

    index: Tensor
    image: Tensor
    mask: Tensor
    prediction: Tensor
    completion: Tensor
    label: Tensor | None = None
    attributes: Tensor | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.index)

    def __getitem__(self, keep: Tensor | slice) -> "Completed":
        """Some of the images: (B,) bool, or a slice."""
        values = (getattr(self, one.name) for one in fields(self))
        return Completed(*(None if value is None else value[keep] for value in values))

    @property
    def first(self) -> Tensor:
        """The first completion of each image, (B, C, H, W)."""
        return self.completion[:, 0]

    @cached_property
    def saved(self) -> Tensor:
        """The first completion as a file would hold it, in 8 bits; (B, C, H, W) float32."""
        return to_eight_bits(self.first.float())


@dataclass(frozen=True)
class Evaluated:
    """The outcome of one batch of validation or test.

    Attributes:
        index: (B,) int64, of the whole batch
        loss: (B,), or None where the method states none for these images
        completed: the part of the batch that was completed; None where that is no image of it
    """

    index: Tensor
    loss: Tensor | None
    completed: Completed | None
