"""Single images of a test, to be scored by people and compared side by side."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor

from inpainting.images.algebra import erase, to_eight_bits
from inpainting.images.evaluated import Evaluated
from inpainting.images.saved import KINDS, saved_image, saved_indices
from inpainting.values import Natural


class SingleImages(Callback):
    """Writes `test/<index>_{target,masked,completion}.png` for the first images of the test.

    The images are the same for every run on the same data, so that runs can be compared. The hole
    of the masked image is transparent, so that no colour reveals which method erased it.

    Args:
        folder: the folder that contains `test/`
        count: only images whose index is below this number are written; 0 writes none
    """

    def __init__(self, folder: str, count: Natural):
        self.folder, self.count = Path(folder), count

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delete the images of an earlier test; with a smaller count some would not be replaced."""
        if trainer.is_global_zero:
            for kind in KINDS:
                for index in saved_indices(self.folder / "test", kind):
                    saved_image(self.folder / "test", index, kind).unlink()
        trainer.strategy.barrier()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Evaluated, *_: Any
    ) -> None:
        """Write the images of this batch."""
        done = outputs.completed
        index = done.index
        # Each process writes its own images and not those that the sampler repeats: see Evaluation.
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
            for number, pixels in zip(index[mine].tolist(), kinds[kind], strict=True):
                _to_pil(pixels).save(saved_image(self.folder / "test", number, kind))


def _to_pil(image: Tensor) -> Image.Image:
    """Convert (1 to 4, H, W) in [0, 1] to a grey or RGB image, with or without alpha."""
    levels = (to_eight_bits(image.detach().float()) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).squeeze(2).cpu().numpy())
