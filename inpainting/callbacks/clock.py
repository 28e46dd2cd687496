"""The seconds that a run takes, over all its parts."""

import time

from lightning.pytorch.callbacks import Callback


class Clock(Callback):
    """Seconds that a run took, over all its parts: its state stands in `last.ckpt`.

    What a killed part did after its last checkpoint is repeated by the next, and counts once.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._earlier: dict[str, float] = {}

    def start(self, name: str) -> None:
        """Count this part's seconds from now on, under a name."""
        self._began[name] = time.perf_counter()

    def seconds(self, name: str) -> float:
        """Seconds so far of the earlier parts and this one."""
        return self._earlier.get(name, 0.0) + time.perf_counter() - self._began[name]

    def state_dict(self) -> dict[str, float]:
        """All seconds so far."""
        return {name: self.seconds(name) for name in self._began}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from what the earlier parts took."""
        self._earlier = dict(state_dict)
