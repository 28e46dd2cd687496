"""A training that is interrupted anywhere and resumed equals one that never was, bit for bit."""

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from commands import typed_in
from interrupting import interrupted, kill, send
from same_runs import assert_same_run
from small_models import SMALL, small

# Three epochs of eight batches and two batches of validation; losses are logged every three.
LENGTH = ["trainer.max_epochs=3", "trainer.log_every_n_steps=3"]
AUGMENTED = "++data.augment={_target_:inpainting.data.augment.FlipZoom,zoom:1.3}"

MOMENTS = {
    "the first batch": ("batch", 1),
    "within the first epoch": ("batch", 5),
    "the last batch of an epoch": ("batch", 8),
    "the first batch of the second epoch": ("batch", 9),
    "within the second epoch": ("batch", 14),
    "the last batch of all": ("batch", 24),
    "a validation": ("validation", 4),
    "the test": ("test", 1),
}
WAYS = {"SIGTERM": send(signal.SIGTERM), "Ctrl-C": send(signal.SIGINT), "kill -9": kill}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a training of a model that was never interrupted."""

    @cache
    def trained(model: str) -> Path:
        folder = tmp_path_factory.mktemp(model)
        with typed_in(folder) as run:
            run("train", *small(model), *LENGTH, AUGMENTED, "hydra.run.dir=run")
        return folder / "run"

    return trained


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("model", SMALL)
def test_every_method_at_every_moment(
    command, tmp_path: Path, whole: Callable, model: str, moment: str, way: str
) -> None:
    often = ["callbacks.last.every_batches=3"] if way == "kill -9" else []
    with interrupted(*MOMENTS[moment], WAYS[way]):
        command("train", *small(model), *LENGTH, AUGMENTED, *often, "hydra.run.dir=run")
    command("train", "resume=run")
    assert_same_run(tmp_path / "run", whole(model))


@pytest.mark.parametrize("model", SMALL)
def test_interrupted_again_and_again(command, tmp_path: Path, whole: Callable, model: str) -> None:
    typed = [*small(model), *LENGTH, AUGMENTED, "hydra.run.dir=run"]
    for batches in (3, 2, 5, 1, 6):
        with interrupted("batch", batches, send(signal.SIGTERM)):
            command("train", *typed)
        typed = ["resume=run"]
    command("train", "resume=run", "data.num_workers=2")
    assert_same_run(tmp_path / "run", whole(model))
