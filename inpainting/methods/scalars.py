"""Training scalars that stay on the device until they are read, so no step waits for the host."""

from collections.abc import Callable

import torch
from torch import Tensor

from inpainting.errors import NonFiniteLossError


class TrainingScalars:
    """Sums of named scalars since the last read.

    Attributes:
        latest: the means of the last read
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self.latest: dict[str, float] = {}

    def add(self, **values: Tensor) -> None:
        """Add one step's scalars."""
        for name, value in values.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the means since the last read, in one transfer, and reset the sums.

        Args:
            reduce: averages a tensor over all processes. The NaN of one process thereby reaches
                every process, and all of them stop together.

        Raises:
            NonFiniteLossError: a mean is NaN or infinite; the message names the scalar. A sum keeps
                every NaN and infinity that was added to it, so none is missed between two reads.
        """
        if not self._sums:
            return {}
        names = list(self._sums)
        means = torch.stack([self._sums[name] / self._counts[name] for name in names])
        values = dict(zip(names, reduce(means).tolist(), strict=True))
        self._sums, self._counts = {}, {}
        broken = [name for name in names if not abs(values[name]) < float("inf")]
        if broken:
            raise NonFiniteLossError(
                f"{', '.join(broken)} became NaN or infinite; training stopped and the checkpoints "
                "of the last whole epoch are untouched. Lower the learning rate, or train in "
                "float32 (trainer.precision=32-true), and resume."
            )
        self.latest = values
        return values
