"""Pictures of validation and test: grids to look at, single ones to score and lay side by side."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

from inpainting.grid import image_grid
from inpainting.image import crop, erase, local_boxes, local_size, to_eight_bits
from inpainting.images.evaluated import Evaluated

KINDS = ("target", "masked", "completion")  # of the single ones


class ImageGrids(Callback):
    """Draws the first pictures of each validation and test, rows as in report 004.

    target, masked input, prediction, completion, real local crop, completed local crop.

    Args:
        folder: where the PNG files go
        count: pictures a grid
        cell: side of a picture in the grid, in pixels
        local_share: side of the local crop as a share of the picture's
    """

    def __init__(self, folder: str, count: int, cell: int, local_share: float):
        self.folder, self.count = Path(folder), count
        self.cell, self.local_share = cell, local_share
        self.shown: dict[str, Tensor] = {}
        self.path: Path | None = None

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start anew."""
        self._parts: list[dict[str, Tensor]] = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Keep as many as the grid still lacks."""
        missing = self.count - sum(len(part["index"]) for part in self._parts)
        done = outputs.completed
        if missing > 0 and done is not None:
            names = ("index", "image", "mask", "prediction", "completion")
            self._parts.append({name: getattr(done, name)[:missing].cpu() for name in names})

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
                if not trainer.testing:  # of a test it gets a table
                    epoch = f"epoch {trainer.current_epoch}"
                    logger.log_image("pictures", [grid], module.batches_seen, caption=[epoch])
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "pictures", np.asarray(grid), trainer.current_epoch, dataformats="HWC"
                )

    def rows(self, module: LightningModule) -> dict[str, Tensor]:
        """The grid's rows by their labels."""
        image, mask = self.shown["image"], self.shown["mask"]
        completions = self.shown["completion"].unbind(1)
        others = {f"completion {k}": one for k, one in enumerate(completions[1:], 2)}
        size = local_size(*image.shape[-2:], self.local_share)
        corners = local_boxes(mask, size)
        return {
            "target": image,
            "masked input": erase(image, mask, module.fill),
            "prediction": self.shown["prediction"][:, 0],
            "completion": completions[0],
            **others,
            "real local crop": crop(image, corners, size),
            "completed local crop": crop(completions[0], corners, size),
        }


class TestImages(Callback):
    """Writes `test/<index>_{target,masked,completion}.png` for the first pictures of the test.

    The same pictures for every run on the same data, so that runs can be compared. The hole of
    the masked picture is transparent: no colour gives away which method erased it.

    Args:
        folder: where `test/` goes
        count: pictures with an index below this are written; 0 writes none
    """

    def __init__(self, folder: str, count: int):
        self.folder, self.count = Path(folder), count

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take away what an earlier test left: with another count it would not all be replaced."""
        if trainer.is_global_zero:
            for kind in KINDS:
                for path in (self.folder / "test").glob(f"[0-9]*_{kind}.png"):
                    path.unlink()
        trainer.strategy.barrier()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Write those of this batch."""
        done = outputs.completed
        index = done.index
        # Each process writes its own, and not what the sampler repeats: see Evaluation.
        mine = (index < self.count) & (index % trainer.world_size == trainer.global_rank)
        if not mine.any():
            return
        (self.folder / "test").mkdir(parents=True, exist_ok=True)
        image, mask = done.image[mine], done.mask[mine]
        kinds = {
            "target": image,
            "masked": torch.cat([erase(image, mask), (mask <= 0).to(image.dtype)], dim=1),
            "completion": done.first[mine],
        }
        for kind in KINDS:
            for number, one in zip(index[mine].tolist(), kinds[kind], strict=True):
                _to_pil(one).save(self.folder / "test" / f"{number:05d}_{kind}.png")


def _to_pil(image: Tensor) -> Image.Image:
    """(1 to 4, H, W): grey or RGB, without or with alpha."""
    levels = (to_eight_bits(image.detach().float()) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).squeeze(2).cpu().numpy())
