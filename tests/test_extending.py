"""A method, a kind of hole, a data set and a metric of a user's own: one file and one yaml each."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

METHOD = '''
from torch import nn
from inpainting.losses import absolute_error
from inpainting.methods.base import Inpainter

class Blur(Inpainter):
    """One convolution that learns to continue what surrounds a hole."""

    def __init__(self, *, kernel, optimizer, **options):
        super().__init__(**options)
        self.network = nn.Conv2d(self.channels + 1, self.channels, kernel, padding=kernel // 2)
        self.make_optimizer = optimizer

    def predict(self, masked_image, mask, attributes=None, generator=None):
        return self.network(torch.cat([masked_image, mask], 1)).sigmoid()

    def training_step(self, batch, batch_idx):
        prediction = self.predict(erase(batch["image"], batch["mask"], self.fill), batch["mask"])
        loss = absolute_error(prediction, batch["image"], batch["mask"]).mean()
        self.scalars.add(loss=loss)
        return loss

    def configure_optimizers(self):
        return self.make_optimizer(self.network.parameters())
'''
DATA = """
import numpy as np
from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule

class Ramps(InpaintingDataModule):
    def read_split(self, name):
        rng = np.random.default_rng(len(name))
        ramp = np.linspace(0, 255, self.image_size)
        images = np.stack([np.roll(ramp, rng.integers(99)) for _ in range(24)])
        images = np.broadcast_to(images[:, None, :, None], (24, *[self.image_size] * 2, 3))
        return Split(images.astype(np.uint8), [f"{name}/{i}" for i in range(24)])
"""
MASK = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Disc:
    radius: float = 0.2

    def __call__(self, batch_size, height, width, generator):
        y, x = (torch.arange(side).float() / side - 0.5 for side in (height, width))
        hole = (y[:, None] ** 2 + x[None] ** 2).sqrt() < self.radius
        return hole.float().expand(batch_size, 1, height, width).to(generator.device)
"""
METRIC = """
from inpainting.metrics.base import ImageMetric
from inpainting.metrics.columns import Column

class RMSE(ImageMetric):
    columns = (
        Column(name="rmse", heading="RMSE", digits=4, direction="min", scope="hole", truth=0.0,
               brief=True),
    )

    def measure(self, completed):
        error = (completed.saved - completed.image) * (completed.mask > 0.5)
        return {"rmse": error.square().mean((1, 2, 3)).sqrt()}
"""
FILES = {
    "mine/__init__.py": "",
    "mine/blur.py": "import torch\nfrom inpainting.images.algebra import erase\n" + METHOD,
    "mine/ramps.py": DATA,
    "mine/disc.py": "import torch\n" + MASK,
    "mine/rmse.py": METRIC,
    "conf/model/blur.yaml": """
        # @package _global_
        name: blur
        monitor: val/loss
        model:
          _target_: mine.blur.Blur
          channels: ${data.channels}
          kernel: 5
          optimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 0.01}
    """,
    "conf/data/ramps.yaml": """
        defaults: [base, _self_]
        _target_: mine.ramps.Ramps
        image_size: 16
        batch_size: 8
    """,
    "conf/mask/disc.yaml": """
        _target_: mine.disc.Disc
        radius: 0.3
    """,
    "conf/metrics/rmse.yaml": """
        defaults: [default, _self_]
        rmse: {_target_: mine.rmse.RMSE}
    """,
}
TYPED = ["--config-dir", "conf", "model=blur", "data=ramps", "mask=disc", "metrics=rmse"]
TYPED += ["trainer=cpu", "trainer.max_epochs=3", "callbacks.progress=null"]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package of the user's own, and its configurations."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text) if path.suffix == ".yaml" else text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        monkeypatch.delitem(sys.modules, name)  # of another test's folder
    return tmp_path


def test_a_users_own_parts_train_are_measured_and_ranked(
    command: Callable[..., None], mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("train", *TYPED, "against=[mean_fill]", "hydra.run.dir=run")
    assert "RMSE" in capsys.readouterr().out
    metrics = json.loads((mine / "run/metrics.json").read_text())
    assert metrics["rmse"] > 0 and metrics["mask"] == "Disc(radius=0.3)"
    # A loss that the method did not write, to choose the best by.
    with open(mine / "run/metrics.csv", newline="") as file:
        losses = [float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]]
    assert metrics["monitor"] == "val/loss" and metrics["best"] == pytest.approx(min(losses))

    command("evaluate", "--config-dir", "conf", "run=run", "mask=half", "hydra.run.dir=other")
    assert json.loads((mine / "other/metrics.json").read_text())["mask"].startswith("Half")

    # The report knows which end of a number is better that only the metric knows.
    command("train", *TYPED, "monitor=val/rmse", "model.kernel=1", "hydra.run.dir=narrow")
    command("report", "run", "narrow", "metric=rmse", "out=board")
    table = (mine / "board/table.md").read_text()
    board = table[table.index("## Leaderboard") :].splitlines()
    ranked = [line.split("|")[2].strip().strip("*") for line in board if line.startswith("|")][1:]
    assert "RMSE" in board[2] and ranked[1] == "0.0000"
    numbers = [float(text) for text in ranked[2:]]
    assert len(numbers) == 3 and numbers == sorted(numbers)


def test_the_best_checkpoint_follows_the_metrics_own_direction(
    command: Callable[..., None], mine: Path
) -> None:
    command("train", *TYPED, "monitor=val/rmse", "hydra.run.dir=run")
    with open(mine / "run/metrics.csv", newline="") as file:
        values = [float(row["val/rmse"]) for row in csv.DictReader(file) if row["val/rmse"]]
    metrics = json.loads((mine / "run/metrics.json").read_text())
    assert metrics["best"] == pytest.approx(min(values))
    assert yaml.safe_load((mine / "run/config.yaml").read_text())["monitor"] == "val/rmse"
