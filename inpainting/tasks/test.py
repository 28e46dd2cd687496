"""A test: its numbers, with all that belongs beside them."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningDataModule, Trainer

from inpainting.callbacks.evaluation import Evaluation
from inpainting.callbacks.grids import ImageGrids
from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.runs.results import Result


def callback(trainer: Trainer, kind: type) -> Any:
    """The trainer's callback of a kind.

    Raises:
        InputError: it has none.
    """
    for one in trainer.callbacks:
        if isinstance(one, kind):
            return one
    raise InputError(f"callbacks has no {kind.__name__}: type callbacks=default")


@dataclass
class Tested:
    """A test's result and the images of it."""

    result: Result
    method: Inpainter
    shown: dict[str, torch.Tensor]


def test(trainer: Trainer, method: Inpainter, data: LightningDataModule, name: str) -> Tested:
    """Test a method; every number comes with the hash of the holes and images it was made on."""
    evaluation = callback(trainer, Evaluation)
    began = time.perf_counter()
    trainer.test(method, data, verbose=False)
    rows = evaluation.rows
    if not len(rows.get("index", ())):
        raise InputError("the test saw no image: type trainer.limit_test_batches=1.0")
    details = {
        "mask": str(data.mask),
        "mask_hash": data.mask_hash("test"),
        "eval_mask_seed": data.eval_mask_seed,
        "image_size": data.image_size,
        "test_seconds": round(time.perf_counter() - began, 3),
        "test_images_per_second": evaluation.images_per_second,
        "device": str(method.device),
        "precision": trainer.precision,
        "measured_with": sorted({name for one in evaluation.metrics for name in one.packages}),
        **method.details(),
    }
    files = [data.file("test", int(index)) for index in rows["index"]]
    grids = [one for one in trainer.callbacks if isinstance(one, ImageGrids)]
    shown = dict(grids[0].shown) if grids else {}
    return Tested(
        Result(name, evaluation.columns, evaluation.summary, rows, files, details), method, shown
    )
