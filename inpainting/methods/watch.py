"""What is told about a prediction that takes many network calls, to whoever waits for it."""

from collections.abc import Callable

from torch import Tensor


class Watch:
    """Counts network calls and shows what the images look like so far.

    Args:
        tell: called after each network call with the calls that are done, those that filling takes
            in all, and a function that returns the present estimate of the whole images,
            (B, C, H, W) in [0, 1]. What it raises ends the prediction

    Attributes:
        batches: how often the network's walk is repeated, where windows do not fit into one batch
        whole: puts the estimate of a batch of windows into the whole images; None where a batch
            holds whole images
    """

    def __init__(self, tell: Callable[[int, int, Callable[[], Tensor]], None]):
        self.tell, self.done = tell, 0
        self.batches, self.whole = 1, None

    def __call__(self, estimate: Tensor, calls: int) -> None:
        """Tell of one network call.

        Args:
            estimate: of the images of the present batch, (B, C, H, W) in [0, 1]
            calls: network calls that each batch takes
        """
        self.done += 1
        whole = self.whole
        self.tell(self.done, calls * self.batches, lambda: whole(estimate) if whole else estimate)
