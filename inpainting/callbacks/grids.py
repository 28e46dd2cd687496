"""Grids of completions, drawn at each validation and test."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor

from inpainting.images.algebra import erase
from inpainting.images.crops import crop, local_corners, local_size
from inpainting.images.evaluated import Evaluated
from inpainting.images.grid import HOLE, image_grid
from inpainting.values import Count, Share

SHOWN = ("index", "image", "mask", "prediction", "completion", "ways")  # fields of `Completed`


class ImageGrids(Callback):
    """Draws the first images of each validation and test, with the rows of report 004.

    The rows are target, masked image, prediction, completion, real local crop and completed local
    crop. Further completions of an image follow its first, and after these, for each attribute that
    the method is told, a completion without it and one with it.

    Args:
        folder: folder for the PNG files
        count: images per grid
        cell: side of an image in the grid, in pixels
        local_share: side of the local crop as a share of the image's side
    """

    def __init__(self, folder: str, count: Count, cell: Count, local_share: Share):
        self.folder, self.count = Path(folder), count
        self.cell, self.local_share = cell, local_share
        self.shown: dict[str, Tensor] = {}
        self.path: Path | None = None

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reset the collected images."""
        self._parts: list[dict[str, Tensor]] = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Keep as many images as the grid still lacks."""
        missing = self.count - sum(len(part["index"]) for part in self._parts)
        done = outputs.completed
        if missing > 0 and done is not None:
            kept = {name: getattr(done, name) for name in SHOWN}
            self._parts.append(
                {name: value[:missing].cpu() for name, value in kept.items() if value is not None}
            )

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `val_epoch_…png`."""
        if not trainer.sanity_checking:
            self._draw(trainer, pl_module, f"val_epoch_{trainer.current_epoch:04d}")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `test.png`."""
        self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: Trainer, module: LightningModule, name: str) -> None:
        if not trainer.is_global_zero or not self._parts:
            return
        self.shown = {key: torch.cat([part[key] for part in self._parts]) for key in self._parts[0]}
        grid = image_grid(self.rows(module), self.cell)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / f"{name}.png"
        grid.save(self.path)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                if not trainer.testing:  # a test logs a table instead
                    epoch = f"epoch {trainer.current_epoch}"
                    logger.log_image("images", [grid], module.batches_seen, caption=[epoch])
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "images", np.asarray(grid), trainer.current_epoch, dataformats="HWC"
                )

    def rows(self, module: LightningModule) -> dict[str, Tensor]:
        """Return the grid's rows by their labels."""
        image, mask = self.shown["image"], self.shown["mask"]
        completions = self.shown["completion"].unbind(1)
        further = {f"completion {k}": completion for k, completion in enumerate(completions[1:], 2)}
        for number, name in enumerate(module.attributes.names):
            off, on = self.shown["ways"][:, number].unbind(1)
            further |= {f"not {name}": off, name: on}
        size = local_size(*image.shape[-2:], self.local_share)
        corners = local_corners(mask, size)
        return {
            "target": image,
            "masked image": erase(image, mask, HOLE),
            "prediction": self.shown["prediction"][:, 0],
            "completion": completions[0],
            **further,
            "real local crop": crop(image, corners, size),
            "completed local crop": crop(completions[0], corners, size),
        }
