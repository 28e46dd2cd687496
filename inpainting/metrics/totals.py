"""Sums over the images of a set, on all devices."""

import torch
import torchmetrics
from torch import Tensor


class Totals:
    """Named sums in float64, which torchmetrics adds up over all processes.

    A NaN stays in its sum, so that a broken completion is not overlooked.

    Args:
        names: of the sums
    """

    def __init__(self, *names: str):
        self._names, self._sums = names, _Sums(len(names))

    def restart(self, device: torch.device) -> None:
        """Set all sums to 0, on a device."""
        with torch.inference_mode(False):
            self._sums.to(device).reset()

    def add(self, **values: Tensor | int) -> None:
        """Add a scalar to each sum."""
        parts = [torch.as_tensor(values[name], device=self._sums.device) for name in self._names]
        with torch.inference_mode(False):  # later batches could not add to sums created in it
            self._sums.update(torch.stack([part.detach().double().clone() for part in parts]))

    def read(self) -> dict[str, float]:
        """Return the sums over all processes, by name."""
        return dict(zip(self._names, self._sums.compute().tolist(), strict=True))


class _Sums(torchmetrics.Metric):
    """A vector of sums, which all processes add up."""

    def __init__(self, count: int):
        super().__init__()
        self.add_state("sums", torch.zeros(count, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        self.sums += values

    def compute(self) -> Tensor:
        return self.sums
