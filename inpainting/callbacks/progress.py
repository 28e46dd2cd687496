"""The progress display of a training."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from inpainting.callbacks.latest_numbers import latest_numbers


class ProgressDisplay(RichProgressBar):
    """Lightning's live display with the last losses, shown without waiting for the device.

    Within a batch that is sampled for long, the bar moves with each network call.

    Attributes:
        tested: name of the method that is tested, or about to be
    """

    tested = ""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Ask the method to tell of its network calls."""
        super().setup(trainer, pl_module, stage)
        pl_module.on_network_call = self.show_share

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Ask for nothing more."""
        super().teardown(trainer, pl_module, stage)
        pl_module.on_network_call = None

    def show_share(self, share: float) -> None:
        """Move the bar of the present batch to a share of it; the display redraws by itself.

        A batch with several samplings moves its bar with the first of them.
        """
        trainer = self.trainer
        bar = {
            "test": self.test_progress_bar_id,
            "predict": self.predict_progress_bar_id,
            "validate": self.val_progress_bar_id,
        }.get(trainer.state.stage and trainer.state.stage.value)
        if self.progress is None or bar is None:
            return
        task = next((task for task in self.progress.tasks if task.id == bar), None)
        # Below 1, so that the batch counts as done only when it is.
        if task is not None and (moved := int(task.completed) + min(share, 0.99)) > task.completed:
            self.progress.update(bar, completed=moved)

    @property
    def test_description(self) -> str:
        """Return what stands before a test's bar; one training tests several methods."""
        return f"Testing {self.tested}".strip()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the latest numbers; see `latest_numbers`."""
        return latest_numbers(trainer, pl_module)
