"""Tests several methods on the same images and holes: the key `against`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lightning import LightningDataModule, Trainer
from PIL import Image

from inpainting.atomic import write_text
from inpainting.callbacks.grids import ImageGrids
from inpainting.callbacks.single_images import SingleImages
from inpainting.images.algebra import erase
from inpainting.images.grid import HOLE, image_grid
from inpainting.runs.results import Result
from inpainting.tasks.opponents import Opponent
from inpainting.tasks.table import markdown_table
from inpainting.tasks.test import Tested, test


def test_against(
    trainer: Trainer,
    first: Tested,
    data: LightningDataModule,
    opponents: Sequence[Opponent],
    folder: Path,
) -> list[Result]:
    """Test opponents as the first method was tested; write their numbers, a table and a grid.

    Args:
        trainer: the trainer that tested the first method
        first: the test of the method that the opponents are compared with
        data: the images and holes of that test
        opponents: may be empty
        folder: of the run or evaluation; opponents write to its `against/NAME`

    Returns:
        the results, the first method's first
    """
    tested = [first]
    for opponent in opponents:
        own = folder / "against" / opponent.name
        with _drawing_into(own / "images", trainer):
            tested.append(test(trainer, opponent.method, data, opponent.name))
        if trainer.is_global_zero:
            tested[-1].result.write(own)
    results = [outcome.result for outcome in tested]
    if trainer.is_global_zero:
        write_text(folder / "table.md", markdown_table(results))
        if len(tested) > 1 and first.shown:
            draw_comparison(tested).save(folder / "images" / "comparison.png")
    return results


@contextmanager
def _drawing_into(folder: Path, trainer: Trainer) -> Iterator[None]:
    """Let the trainer's callbacks draw into another folder while the block runs."""
    drawing = [part for part in trainer.callbacks if isinstance(part, ImageGrids | SingleImages)]
    before = [callback.folder for callback in drawing]
    for callback in drawing:
        callback.folder = folder
    try:
        yield
    finally:
        for callback, own in zip(drawing, before, strict=True):
            callback.folder = own


def draw_comparison(tested: Sequence[Tested]) -> Image.Image:
    """Draw target, masked image, then every method's completion of the same images, in a grid."""
    first = tested[0].shown
    rows = {
        "target": first["image"],
        "masked image": erase(first["image"], first["mask"], HOLE),
    }
    rows |= {outcome.result.method: outcome.shown["completion"][:, 0] for outcome in tested}
    return image_grid(rows, cell=128)
