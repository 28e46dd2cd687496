"""A test of one method: its numbers, and the facts that are written beside them."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule, Trainer

from inpainting.callbacks.evaluation import Evaluation
from inpainting.callbacks.grids import ImageGrids
from inpainting.callbacks.progress import ProgressDisplay
from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.runs.results import Result


def callback(trainer: Trainer, kind: type) -> Any:
    """Return the trainer's first callback of a class.

    Raises:
        InputError: the trainer has none of this class.
    """
    for candidate in trainer.callbacks:
        if isinstance(candidate, kind):
            return candidate
    raise InputError(f"callbacks has no {kind.__name__}: type callbacks=default")


@dataclass
class Tested:
    """A test of one method, with the images to draw of it.

    Args:
        result: the numbers
        method: the method that was tested
        shown: the first test images of `ImageGrids`, such as "image", "mask" and "completion";
            empty without that callback
    """

    result: Result
    method: Inpainter
    shown: dict[str, torch.Tensor]


def test(trainer: Trainer, method: Inpainter, data: LightningDataModule, name: str) -> Tested:
    """Test a method; the result records the hash of the images and holes it was measured on.

    Args:
        trainer: with an `Evaluation` callback
        method: the method to test
        data: its test split is used
        name: the method's name in tables

    Raises:
        InputError: the trainer has no `Evaluation` callback, or the test saw no image.
    """
    evaluation = callback(trainer, Evaluation)
    for display in (part for part in trainer.callbacks if isinstance(part, ProgressDisplay)):
        display.tested = name
    began = time.perf_counter()
    trainer.test(method, data, verbose=False)
    rows = evaluation.rows
    if not len(rows.get("index", ())):
        raise InputError("the test saw no image: type trainer.limit_test_batches=1.0")
    details = {
        "mask": str(data.mask),
        "mask_hash": data.mask_hash("test", np.asarray(rows["index"], dtype=np.int64)),
        "eval_mask_seed": data.eval_mask_seed,
        "image_size": data.image_size,
        "test_seconds": round(time.perf_counter() - began, 3),
        "test_images_per_second": evaluation.images_per_second,
        "device": str(method.device),
        "precision": trainer.precision,
        "measured_with": sorted(
            {
                name
                for metric in evaluation.metrics
                if any(column.name in evaluation.summary for column in metric.columns)
                for name in metric.packages
            }
        ),
        **({"asked": method.attributes.asked} if method.attributes.asked else {}),
        **({"edit": True} if method.edits else {}),
        **method.details(),
    }
    files = [data.file("test", int(index)) for index in rows["index"]]
    grids = [part for part in trainer.callbacks if isinstance(part, ImageGrids)]
    shown = dict(grids[0].shown) if grids else {}
    return Tested(
        Result(name, evaluation.columns, evaluation.summary, rows, files, details), method, shown
    )
