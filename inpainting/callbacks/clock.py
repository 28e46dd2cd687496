"""The seconds that a run takes, summed over its resumes."""

import time

from lightning.pytorch.callbacks import Callback


class Clock(Callback):
    """Counts the seconds of a run over all its sessions: the first start and every resume.

    The seconds are stored in `last.ckpt`. What a killed session did after its last
    checkpoint is repeated by the next one and counts once.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._earlier: dict[str, float] = {}

    def start(self, name: str) -> None:
        """Start counting the seconds of this session under a name."""
        self._began[name] = time.perf_counter()

    def seconds(self, name: str) -> float:
        """Return the seconds so far, of the earlier sessions and this one."""
        return self._earlier.get(name, 0.0) + time.perf_counter() - self._began[name]

    def state_dict(self) -> dict[str, float]:
        """Return all seconds so far, by name."""
        return {name: self.seconds(name) for name in self._began}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Continue from the seconds of the earlier sessions."""
        self._earlier = dict(state_dict)
