"""The progress display of a training."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from inpainting.callbacks.latest_numbers import latest_numbers


class ProgressDisplay(RichProgressBar):
    """Lightning's live display with the last losses, shown without waiting for the device.

    Attributes:
        tested: name of the method that is tested, or about to be
    """

    tested = ""

    @property
    def test_description(self) -> str:
        """Return what stands before a test's bar; one training tests several methods."""
        return f"Testing {self.tested}".strip()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the latest numbers; see `latest_numbers`."""
        return latest_numbers(trainer, pl_module)
