"""What is told while a sampling runs: how far it is, and what the image looks like so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from inpainting.images.photo import Photo

SECONDS_BETWEEN_ESTIMATES = 0.2  # an estimate of the whole image takes time of its own

# Called after each network call of a sampling: calls done, calls in all, and from time to time
# what `fill` would return now, else None. What it raises ends the filling.
OnProgress = Callable[[int, int, Any], None]


@dataclass
class Progress:
    """Turns a method's estimates of one batch of samples into photos, not too often.

    Args:
        photo: the image
        hole: (1, 1, H, W)
        before: finished samples, of earlier batches
        number: of this batch
        batches: in all
        on_progress: what is told
    """

    photo: Photo
    hole: Tensor
    before: list[Photo]
    number: int
    batches: int
    on_progress: OnProgress
    shown: float = 0.0

    def __call__(self, done: int, calls: int, estimate: Callable[[], Tensor]) -> None:
        """Tell of one network call; the method's estimate is drawn only from time to time."""
        photos = None
        if time.monotonic() - self.shown > SECONDS_BETWEEN_ESTIMATES or done == calls:
            height, width = self.hole.shape[-2:]
            whole = estimate()[..., :height, :width]  # without the network's padding
            photos = self.before + [self.photo.fill(one[None], self.hole) for one in whole]
            self.shown = time.monotonic()
        self.on_progress(self.number * calls + done, self.batches * calls, photos)
