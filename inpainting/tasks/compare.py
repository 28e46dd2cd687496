"""Several methods on the same images and holes: `against`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lightning import LightningDataModule, Trainer
from PIL import Image

from inpainting.atomic import write_text
from inpainting.callbacks.grids import ImageGrids
from inpainting.callbacks.single_images import SingleImages
from inpainting.images.algebra import erase
from inpainting.images.grid import image_grid
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
    """Test opponents where a first method was tested; write their numbers, a table and a grid.

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
    results = [one.result for one in tested]
    if trainer.is_global_zero:
        write_text(folder / "table.md", markdown_table(results))
        if len(tested) > 1 and first.shown:
            draw_comparison(tested).save(folder / "images" / "comparison.png")
    return results


@contextmanager
def _drawing_into(folder: Path, trainer: Trainer) -> Iterator[None]:
    """Images that the trainer's callbacks draw meanwhile go to another folder."""
    drawing = [one for one in trainer.callbacks if isinstance(one, ImageGrids | SingleImages)]
    before = [callback.folder for callback in drawing]
    for callback in drawing:
        callback.folder = folder
    try:
        yield
    finally:
        for callback, own in zip(drawing, before, strict=True):
            callback.folder = own


def draw_comparison(tested: Sequence[Tested]) -> Image.Image:
    """Target, masked input, then every method's completion of the same images."""
    first = tested[0].shown
    rows = {
        "target": first["image"],
        "masked input": erase(first["image"], first["mask"], fill=1.0),
    }
    rows |= {one.result.method: one.shown["completion"][:, 0] for one in tested}
    return image_grid(rows, cell=128)
