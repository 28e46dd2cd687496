"""What validation costs beside the training of an epoch, and our SSIM beside torchmetrics'."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from interleaved import Spread, ratio
from lightning import Callback, Trainer, seed_everything
from omegaconf import DictConfig
from torchmetrics.functional.image import structural_similarity_index_measure

from inpainting.metrics.ssim import structural_similarity
from inpainting.tasks.build import build, build_method, build_trainer

# Train and validation images stand 85 to 10, as in the shares of `data=folder`.
FIT = [
    "model=glcic",
    "data=photos",
    "budget=full",
    "data.batch_size=34",
    "data.eval_batch_size=40",
    "data.patches=[340,40,8]",
    "trainer=cpu",
    "trainer.precision=bf16-mixed",
    "trainer.num_sanity_val_steps=0",
    "callbacks=default",
    "callbacks.progress=null",
    "metrics=default",
]


class ValidationSeconds(Callback):
    """CPU seconds of each epoch from start to end, and of the validation within."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.epoch = time.process_time()

    def on_validation_start(self, *_: Any) -> None:
        self.validation = time.process_time()

    def on_validation_end(self, *_: Any) -> None:
        now = time.process_time()
        self.shares.append((now - self.validation) / (now - self.epoch))


def test_validation_takes_a_tenth_of_an_epoch_at_most(
    composed: Callable[..., DictConfig], tmp_path: Path, report: Callable[..., None]
):
    config = composed(*FIT, "trainer.max_epochs=3")
    config.paths.run = str(tmp_path)
    seed_everything(config.seed, verbose=False)
    method, data = build_method(config.model, config), build(config.data)
    trainer: Trainer = build_trainer(config)
    watch = ValidationSeconds()
    trainer.callbacks.append(watch)  # the last one: what the others do at a validation's end counts
    trainer.fit(method, data)
    assert (tmp_path / "images" / "val_epoch_0002.png").exists()
    report(
        "validation, share of an epoch's CPU time (GLCIC, width 64, bf16, 340 and 40 images)",
        Spread.of([100 * share for share in watch.shares]),
        at_most=10,
        unit=" %",
        digits=1,
    )


def test_ssim_in_double_precision_costs_no_more_than_torchmetrics_in_single(
    report: Callable[..., None],
):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(32, 3, 64, 64, generator=generator)
    completion = (image + 0.1 * torch.randn(image.shape, generator=generator)).clamp(0, 1)

    def theirs() -> torch.Tensor:
        # Of its two results only the map allows to leave out the mirrored border.
        return structural_similarity_index_measure(
            completion, image, data_range=1.0, reduction="none", return_full_image=True
        )[1]

    def ours() -> torch.Tensor:
        return structural_similarity(completion, image)

    inner = (..., slice(5, -5), slice(5, -5))
    assert torch.allclose(ours()[inner].mean(), theirs()[inner].mean().double(), atol=1e-4)
    report(
        "SSIM of 32 images of 64 px, torchmetrics in float32 / ours in float64",
        ratio(theirs, ours, number=10),
        at_least=1,
        digits=1,
    )
