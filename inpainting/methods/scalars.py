"""Training scalars that stay on the device until they are read, so no step waits for the host."""

from collections.abc import Callable
from typing import Any

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

    def means(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the means since the last read, in one transfer.

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
        broken = [name for name in names if not abs(values[name]) < float("inf")]
        if broken:
            raise NonFiniteLossError(
                f"{', '.join(broken)} became NaN or infinite; training stopped and the checkpoints "
                "from before are untouched. Lower the learning rate, or train in float32 "
                "(trainer.precision=32-true), and resume."
            )
        return values

    def read(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the means since the last read and reset the sums; see `means`."""
        values = self.means(reduce)
        if values:
            self._sums, self._counts, self.latest = {}, {}, values
        return values

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and counts since the last read."""
        return {"sums": {k: v.cpu() for k, v in self._sums.items()}, "counts": dict(self._counts)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Continue from what `state_dict` returned, on a device."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts = dict(state["counts"])
