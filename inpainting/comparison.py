"""Several methods on the same holes: `against`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from lightning import LightningDataModule, Trainer
from omegaconf import DictConfig

from inpainting.assembly import Tested, build_method, check_channels, test
from inpainting.atomic import write_text
from inpainting.errors import InputError
from inpainting.grid import image_grid
from inpainting.image import erase
from inpainting.methods.base import Inpainter
from inpainting.pictures import ImageGrids, TestImages
from inpainting.results import Result, as_markdown
from inpainting.runs import Run, load_weights


def other_method(name: str, config: DictConfig) -> Inpainter:
    """A method to compare with: a run's folder, or a model of conf/model without training.

    Raises:
        InputError: there is no such run or model, or the model would need training.
    """
    if Path(name).is_dir():
        run = Run.open(name, "against")
        method = build_method(run.config.model, config)
        load_weights(method, run.checkpoint("best", "against"), "against")
        return method
    try:
        model = hydra.compose("train", [f"model={name}"])
    except HydraException as error:
        raise InputError(
            f"against={name}: neither the folder of a run nor a model; "
            "type for instance against=[mean_fill,telea,navier_stokes]"
        ) from error
    model.data = config.data  # what models take from their data: channels, size
    method = build_method(model.model, config)
    if method.trained:
        raise InputError(f"against={name}: this model needs training; type the folder of its run")
    return method


def others(config: DictConfig) -> list[str]:
    """What to compare with: `against`, also where it is a single name without brackets.

    Raises:
        InputError: two of them have the same name, and would have the same folder.
    """
    names = [config.against] if isinstance(config.against, str) else list(config.against)
    short = [Path(name).name for name in names]
    for name in short:
        if short.count(name) > 1:
            raise InputError(f"against={names}: two are called {name}, copy one to another name")
    return names


@dataclass(frozen=True)
class Opponent:
    """A method that another one is compared with."""

    name: str
    method: Inpainter


def build_opponents(config: DictConfig, data: LightningDataModule) -> list[Opponent]:
    """Build what `against` names, before any long work.

    Raises:
        InputError: see `other_method` and `check_channels`.
    """
    found = []
    for name in others(config):
        method = other_method(name, config)
        check_channels(method, data, f"against={name}")
        found.append(Opponent(Path(name).name, method))
    return found


def test_against(
    trainer: Trainer,
    first: Tested,
    data: LightningDataModule,
    opponents: Sequence[Opponent],
    folder: Path,
) -> list[Result]:
    """Test opponents on the same holes; write each one's numbers, the table and a grid."""
    tested = [first]
    for opponent in opponents:
        place = folder / "against" / opponent.name
        with _elsewhere(trainer, place):
            tested.append(test(trainer, opponent.method, data, opponent.name))
        if trainer.is_global_zero:
            tested[-1].result.write(place)
    results = [one.result for one in tested]
    if trainer.is_global_zero:
        write_text(folder / "table.md", as_markdown(results))
        if len(tested) > 1 and first.shown:
            draw_comparison(tested).save(folder / "pictures" / "comparison.png")
    return results


class _elsewhere:
    """Pictures drawn within go to another folder."""

    def __init__(self, trainer: Trainer, folder: Path):
        drawing = (ImageGrids, TestImages)
        self.drawing = [one for one in trainer.callbacks if isinstance(one, drawing)]
        self.folder = folder / "pictures"

    def __enter__(self) -> None:
        self.before = [one.folder for one in self.drawing]
        for one in self.drawing:
            one.folder = self.folder

    def __exit__(self, *_: object) -> None:
        for one, folder in zip(self.drawing, self.before, strict=True):
            one.folder = folder


def draw_comparison(tested: Sequence[Tested]) -> Any:
    """Target, masked input, then every method's completion of the same pictures."""
    first = tested[0].shown
    masked = erase(first["image"], first["mask"], fill=1.0)
    rows = {"target": first["image"], "masked input": masked}
    rows |= {one.result.method: one.shown["completion"][:, 0] for one in tested}
    return image_grid(rows, cell=128)
