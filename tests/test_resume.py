"""A resumed training equals one that was never stopped, bit for bit."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import NARROW, SMALL, small

from inpainting.data.base import InpaintingDataModule
from inpainting.methods.base import Inpainter


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def leaves(tree, path=()):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, (list, tuple)):
        for i, value in enumerate(tree):
            yield from leaves(value, (*path, i))
    else:
        yield path, tree


def assert_same(one: dict, two: dict) -> None:
    one, two = dict(leaves(one)), dict(leaves(two))
    assert one.keys() == two.keys()
    for path, value in one.items():
        equal = torch.equal(value, two[path]) if torch.is_tensor(value) else value == two[path]
        assert equal, path


def rows(folder: Path) -> list[dict]:
    with open(folder / "metrics.csv", newline="") as file:
        return sorted(
            ({k: v for k, v in row.items() if v != ""} for row in csv.DictReader(file)),
            key=lambda row: (int(row["step"]), sorted(row)),
        )


def numbers(folder: Path) -> dict:
    content = json.loads((folder / "metrics.json").read_text())
    return {
        k: v for k, v in content.items() if k.startswith(("psnr", "ssim", "l1", "mask", "loss"))
    }


def assert_same_run(one: Path, two: Path) -> None:
    first, second = checkpoint(one), checkpoint(two)
    assert_same(first["state_dict"], second["state_dict"])
    assert_same(first["optimizer_states"], second["optimizer_states"])
    assert rows(one) == rows(two)
    assert numbers(one) == numbers(two)


@pytest.fixture
def masks_seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes the holes of every training batch."""
    seen: list[str] = []
    original = InpaintingDataModule.on_after_batch_transfer

    def noted(self, batch, dataloader_idx):
        training = "mask" not in batch
        batch = original(self, batch, dataloader_idx)
        if training:
            seen.append(str(batch["mask"].nonzero().sum(0).tolist()) + str(batch["index"].tolist()))
        return batch

    monkeypatch.setattr(InpaintingDataModule, "on_after_batch_transfer", noted)
    return seen


ZOOM = "++data.augment={_target_:inpainting.data.augment.FlipZoom,zoom:1.3}"
SETTINGS = [*(text for text in NARROW if text != "trainer.max_epochs=2"), ZOOM]


@pytest.mark.parametrize("model", SMALL)
def test_stopped_at_the_end_of_an_epoch(
    command, tmp_path: Path, masks_seen: list, model: str
) -> None:
    # rates that follow the share of the training that is done would differ between 2 and 4 epochs
    settings = [*small(model), ZOOM, "++model.lr_schedule=null"]
    command("train", *settings, "trainer.max_epochs=4", "hydra.run.dir=whole")
    whole, masks_seen[:] = list(masks_seen), []
    command("train", *settings, "trainer.max_epochs=2", "hydra.run.dir=parts")
    command("train", "resume=parts", "trainer.max_epochs=4")
    assert masks_seen == whole
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


class Killed(BaseException):
    """What no handler of ours expects."""


# within the first epoch of eight batches, the second
@pytest.mark.parametrize(("model", "batch"), [("glcic", 3), *((model, 13) for model in SMALL)])
def test_killed_within_an_epoch(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, batch: int
) -> None:
    settings = [*small(model), ZOOM, "trainer.max_epochs=3"]
    command("train", *settings, "hydra.run.dir=whole")

    original, count = Inpainter.on_train_batch_end, [0]

    def killed(self, *arguments):
        count[0] += 1
        if count[0] == batch:
            raise Killed
        return original(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Inpainter, "on_train_batch_end", killed)
        command("train", *settings, "hydra.run.dir=parts")
    command("train", "resume=parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_valid_checkpoint_and_a_failing_status(
    tmp_path: Path, sent: signal.Signals
) -> None:
    command = [sys.executable, "-m", "inpainting.train", *SETTINGS, "trainer.max_epochs=500"]
    training = subprocess.Popen(
        [*command, "hydra.run.dir=run"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # where this suite runs in the background, its children would ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = tmp_path / "run" / "metrics.csv"
    until = time.monotonic() + 90
    while not (log.is_file() and len(log.read_text().splitlines()) > 6):
        assert time.monotonic() < until and training.poll() is None
        time.sleep(0.1)
    training.send_signal(sent)
    assert training.wait(60) != 0
    state = checkpoint(tmp_path / "run")
    assert state["state_dict"]
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())


def test_initial_weights_come_from_another_run_and_nothing_else(command, tmp_path: Path) -> None:
    command("train", *SETTINGS, "trainer.max_epochs=1", "hydra.run.dir=first")
    command(
        "train",
        *SETTINGS,
        "trainer.max_epochs=1",
        "hydra.run.dir=second",
        "init_from=first",
        "trainer.limit_train_batches=1",
        "model.optimizer_completion.lr=0",
    )
    first = torch.load(tmp_path / "first/checkpoints/best.ckpt", weights_only=True)
    second = checkpoint(tmp_path / "second")
    name = "generator.layers.0.weight"
    assert torch.equal(first["state_dict"][name], second["state_dict"][name])
    assert second["epoch"] == 0


def test_a_resume_may_change_a_learning_rate(command, tmp_path: Path) -> None:
    command("train", *SETTINGS, "trainer.max_epochs=1", "hydra.run.dir=run")
    changed = ["model.optimizer_completion.lr=0.00002", "model.optimizer_joint.lr=0.00003"]
    command("train", "resume=run", "trainer.max_epochs=2", *changed)
    groups = [
        state["param_groups"][0] for state in checkpoint(tmp_path / "run")["optimizer_states"]
    ]
    assert [group["lr"] for group in groups] == [0.00002, 0.001, 0.00003]


def test_a_run_that_was_moved_keeps_its_best(command, tmp_path: Path) -> None:
    command("train", *SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=here")
    score = [
        state["best_model_score"]
        for name, state in checkpoint(tmp_path / "here")["callbacks"].items()
        if "BestCheckpoint" in name
    ]
    (tmp_path / "here").rename(tmp_path / "there")
    # nothing is learnt, so nothing is better than what was the best before
    still = [f"model.optimizer_{name}.lr=0" for name in ("completion", "joint", "discriminator")]
    command("train", "resume=there", "trainer.max_epochs=3", *still)
    after = [
        state
        for name, state in checkpoint(tmp_path / "there")["callbacks"].items()
        if "BestCheckpoint" in name
    ]
    assert after[0]["best_model_score"] >= score[0]
    assert Path(after[0]["best_model_path"]).parent == tmp_path / "there/checkpoints"


def test_a_resume_goes_on_with_its_wandb_run(command, tmp_path: Path) -> None:
    wandb = ["logger=wandb", "logger.wandb.offline=true"]
    command("train", *SETTINGS, *wandb, "trainer.max_epochs=1", "hydra.run.dir=run")
    command("train", "resume=run", "trainer.max_epochs=2")
    names = [path.name for path in (tmp_path / "run/wandb").glob("offline-run-*-*")]
    assert len({name.rsplit("-", 1)[1] for name in names}) == 1
