"""A resumed training equals one that was never stopped, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import wandb
from conftest import NARROW, SMALL, small
from interrupting import at, interrupted, kill, send
from omegaconf import OmegaConf
from same_runs import assert_same, assert_same_run, checkpoint

from inpainting.data.base import InpaintingDataModule
from inpainting.loggers.appending_csv import drop_rows_after
from inpainting.runs.arguments import resume_arguments
from inpainting.runs.folder import Run
from inpainting.runs.status import status


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


# Stages whose ends do not depend on the length of the training
ENDLESS = {"cvae_gan": ["model.stages.pretrain=0"], "dvae": ["model.last_temperature=1"]}
# Averaged weights, which must resume too
ENDLESS |= {"conv_ae": ["model.ema_decay=0.9"], "glcic": ["model.ema_decay=0.9"]}
ZOOM = "++data.augment={_target_:inpainting.data.augment.FlipZoom,zoom:1.3}"
SETTINGS = [*(text for text in NARROW if text != "trainer.max_epochs=2"), ZOOM]


# One that Lightning optimises, and below some that optimise by themselves; the others are slow
QUICK = ("conv_ae",)
LIKE_OTHERS = ("dvae", "token_bert")  # as conv_ae and token_gpt in what a resume needs
ENDED = [pytest.param(m, marks=() if m in QUICK else pytest.mark.slow) for m in SMALL]


@pytest.mark.parametrize("model", ENDED)
def test_stopped_at_the_end_of_an_epoch(
    command, tmp_path: Path, masks_seen: list, model: str
) -> None:
    # Rates and stages that follow the share of the training would differ between 2 and 4 epochs.
    settings = [*small(model), ZOOM, "++model.lr_schedule=null", *ENDLESS.get(model, ())]
    command("train", *settings, "trainer.max_epochs=4", "hydra.run.dir=whole")
    whole, masks_seen[:] = list(masks_seen), []
    command("train", *settings, "trainer.max_epochs=2", "hydra.run.dir=parts")
    command("train", "resume=parts", "trainer.max_epochs=4")
    assert masks_seen == whole
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


# Three epochs of eight batches, whose losses are logged every three
LENGTH = ["trainer.max_epochs=3", "trainer.log_every_n_steps=3"]


@pytest.mark.parametrize(
    ("model", "place", "count", "way"),
    [
        # a phase of GLCIC within an epoch; then the pre-training and the fine-tuning of CVAEGAN
        ("glcic", "batch", 13, send(signal.SIGTERM)),
        ("cvae_gan", "batch", 3, kill),
        pytest.param("cvae_gan", "batch", 20, send(signal.SIGINT), marks=pytest.mark.slow),
        pytest.param("ddpm", "validation", 3, send(signal.SIGTERM), marks=pytest.mark.slow),
        pytest.param("dvae", "batch", 8, send(signal.SIGTERM), marks=pytest.mark.slow),
        pytest.param("token_bert", "batch", 14, kill, marks=pytest.mark.slow),
        pytest.param("token_gpt", "batch", 14, kill, marks=pytest.mark.slow),
    ],
)
def test_interrupted_within_an_epoch(
    command, tmp_path: Path, model: str, place: str, count: int, way: Callable[[], None]
) -> None:
    settings = [*small(model), *LENGTH, ZOOM, "callbacks.last.every_batches=2"]
    command("train", *settings, "hydra.run.dir=whole")
    with interrupted(place, count, way):
        command("train", *settings, "hydra.run.dir=parts")
    assert checkpoint(tmp_path / "parts")["within_epoch"]["batches"] == 8
    command("train", "resume=parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_signals_are_answered_everywhere(command, tmp_path: Path, capsys) -> None:
    settings = [*small("conv_ae"), *LENGTH, "hydra.run.dir=run"]
    go_on = f"To continue, type python -m inpainting.train resume={tmp_path / 'run'}"
    with interrupted("start", 1, send(signal.SIGINT)) as ended:
        command("train", *settings)
    assert ended.value.code == 130
    assert "stopped; the training had not begun, so nothing is saved" in capsys.readouterr().out
    with interrupted("batch", 6, send(signal.SIGTERM)) as ended:
        command("train", *settings)
    assert ended.value.code == 143
    said = capsys.readouterr().out
    assert f"stopped; batch 6 of 8 of epoch 1 is saved. {go_on}" in said

    with interrupted("validation", 5, send(signal.SIGTERM)):  # two batches each
        command("train", "resume=run")
    assert "stopped; batch 8 of 8 of epoch 3 is saved" in capsys.readouterr().out
    with interrupted("test", 1, send(signal.SIGINT)) as ended:
        command("train", "resume=run")
    assert ended.value.code == 130
    assert f"stopped; the end of epoch 3 is saved. {go_on}" in capsys.readouterr().out
    command("train", "resume=run")
    assert status(tmp_path / "run") == "finished"


def test_sigusr1_saves_and_the_training_goes_on(command, tmp_path: Path) -> None:
    settings = [*small("conv_ae"), *LENGTH, "hydra.run.dir=run"]
    with interrupted("batch", 11, kill), at("batch", 10, send(signal.SIGUSR1)):
        command("train", *settings)
    loops = checkpoint(tmp_path / "run")["loops"]["fit_loop"]
    assert loops["epoch_loop.batch_progress"]["current"]["ready"] == 2


def test_an_epoch_is_taken_up_only_with_its_own_settings(command, failure, tmp_path: Path) -> None:
    settings = [*small("conv_ae"), *LENGTH, "hydra.run.dir=run"]
    with interrupted("batch", 11, send(signal.SIGTERM)):
        command("train", *settings)
    before = (tmp_path / "run/config.yaml").read_bytes(), (tmp_path / "run/metrics.csv").read_text()
    said = failure("train", "resume=run", "data.batch_size=4")
    assert "data.batch_size is 4, but epoch 2" in said and "began with 8" in said
    after = (tmp_path / "run/config.yaml").read_bytes(), (tmp_path / "run/metrics.csv").read_text()
    assert after == before


def test_a_refused_or_impossible_resume_says_what_to_type(
    command, failure, tmp_path: Path, capsys
) -> None:
    settings = [*small("conv_ae"), "trainer.max_epochs=1", "hydra.run.dir=run"]
    with interrupted("start", 1, send(signal.SIGTERM)):
        command("train", *settings)
    assert "stopped before it had saved anything; type that command" in failure(
        "train", "resume=run"
    )
    command("train", *settings)  # the same command starts in the same folder
    config = tmp_path / "run/config.yaml"
    config.write_text(config.read_text().replace("batch_size: 8", "batch_size: 4"))
    said = failure("train", "resume=run", "trainer.max_epochs=2")
    assert "config.yaml was edited: data.batch_size is 4 there and was 8" in said
    command(
        "train", "resume=run", "trainer.max_epochs=2", "data.batch_size=4", "data.eval_batch_size=4"
    )
    assert OmegaConf.load(config).data.batch_size == 4
    (tmp_path / "run/checkpoints/last.ckpt").unlink()
    assert "keeps no last.ckpt; type another run" in failure("train", "resume=run")
    assert "type another hydra.run.dir=FOLDER" in failure("train", *settings)


def test_a_killed_resume_of_a_finished_run_leaves_no_result_that_looks_current(
    command, tmp_path: Path
) -> None:
    command("train", *small("conv_ae"), "trainer.max_epochs=1", "hydra.run.dir=run")
    finished = (tmp_path / "run/metrics.json").read_text()

    with interrupted("batch", 1, kill):
        command("train", "resume=run", "trainer.max_epochs=2")
    assert status(tmp_path / "run") == "interrupted"
    assert (tmp_path / "run/metrics_before_resume.json").read_text() == finished
    command("train", "resume=run")
    assert status(tmp_path / "run") == "finished"
    assert json.loads((tmp_path / "run/metrics.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("torn", ["1", "1,", "3,17.0,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"])
def test_a_row_that_was_cut_short_is_left_out(tmp_path: Path, torn: str) -> None:
    log = tmp_path / "metrics.csv"
    log.write_text(f"epoch,loss,step\n0,1.5,0\n0,1.25,1\n{torn}")
    drop_rows_after(log, step=5, validated=True)
    assert log.read_text().split() == ["epoch,loss,step", "0,1.5,0", "0,1.25,1"]


# Stops as `trainer.max_time` does, but at a batch that a test can choose.
STOPPER = """
from lightning import Callback

class StopWithin(Callback):
    def on_train_batch_end(self, trainer, module, *rest):
        trainer.should_stop = module.batches_seen + 1 == 12
"""


def test_a_training_that_time_ends_within_an_epoch_takes_up_that_epoch(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stopper.py").write_text(STOPPER)
    monkeypatch.syspath_prepend(tmp_path)
    settings = [*small("conv_ae"), "trainer.max_epochs=3"]
    command("train", *settings, "hydra.run.dir=whole")
    command(
        "train", *settings, "hydra.run.dir=parts", "+callbacks.stop={_target_:stopper.StopWithin}"
    )
    loops = checkpoint(tmp_path / "parts")["loops"]["fit_loop"]
    assert loops["epoch_loop.batch_progress"]["current"]["ready"] == 4  # of the second epoch
    command("train", "resume=parts", "callbacks.stop=null", "trust=true")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    best = [
        torch.load(tmp_path / name / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "parts")
    ]
    assert_same(*best)


def test_worker_processes_read_a_resumed_epoch_in_its_own_order(
    command, tmp_path: Path, masks_seen: list
) -> None:
    settings = [*small("conv_ae"), "data.num_workers=1", "++model.lr_schedule=null"]
    command("train", *settings, "trainer.max_epochs=2", "hydra.run.dir=whole")
    whole, masks_seen[:] = list(masks_seen), []
    command("train", *settings, "trainer.max_epochs=1", "hydra.run.dir=parts")
    # The number of workers changes nothing, so a sweep may go on with another.
    command("train", "resume=parts", "trainer.max_epochs=2", "data.num_workers=2")
    assert masks_seen == whole
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
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
    assert training.wait(60) == 128 + sent
    state = checkpoint(tmp_path / "run")
    assert state["state_dict"]
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())
    said = (tmp_path / "run/train.log").read_text()
    assert f"of epoch {state['epoch'] + 1} is saved" in said
    assert f"type python -m inpainting.train resume={tmp_path / 'run'}" in said


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


def test_a_resume_goes_on_with_its_wandb_run(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["logger=wandb", "logger.wandb.offline=true"]
    wandb.teardown()  # it remembers the environment of the tests before
    with monkeypatch.context() as patch:
        patch.setenv("WANDB_RUN_ID", "abl-1")
        command("train", *SETTINGS, *typed, "trainer.max_epochs=1", "hydra.run.dir=run")
    wandb.teardown()  # it remembers the environment
    command("train", "resume=run", "trainer.max_epochs=2", "logger.wandb.notes=longer")
    names = [path.name for path in (tmp_path / "run/wandb").glob("offline-run-*-*")]
    assert len(names) == 2 and all(name.endswith("-abl-1") for name in names)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ([], True),
        (["logger.wandb.notes=x", "logger.wandb.offline=false"], True),
        (["logger=wandb"], True),
        (["logger=csv"], False),
        (["logger=null"], False),
        (["logger.wandb.id=other"], False),
    ],
)
def test_a_resume_leaves_its_wandb_run_only_where_that_is_typed(
    trained: Path, tmp_path: Path, typed: list[str], same: bool
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    for name in ("run-20260131_120000-old", "offline-run-20260201_120000-1e5", "latest-run"):
        (run / "wandb" / name).mkdir(parents=True)
    OmegaConf.update(config := OmegaConf.load(run / "config.yaml"), "logger.wandb.id", None)
    OmegaConf.save(config, run / "config.yaml")
    own = ["logger=wandb", "logger.wandb.project=mine"]
    OmegaConf.save([*Run.open(run).overrides, *own], run / ".hydra/overrides.yaml")
    arguments = resume_arguments([f"resume={run}", *typed])
    assert ('logger.wandb.id="1e5"' in arguments) == same  # quoted, or Hydra reads a number
    assert all(text in arguments for text in typed)
    other = any(text in typed for text in ("logger=csv", "logger=null"))
    assert ("logger.wandb.project=mine" in arguments) != other  # they do not have this key


def test_a_resume_keeps_options_where_hydra_reads_them(trained: Path) -> None:
    arguments = resume_arguments(["--config-dir", "my", f"resume={trained}", "seed=1"])
    assert arguments[:2] == ["--config-dir", "my"]
    assert arguments.index("model=glcic") < arguments.index("seed=1")


def test_the_times_of_a_resumed_run_are_those_of_all_its_parts(command, tmp_path: Path) -> None:
    command("train", *SETTINGS, "trainer.max_epochs=1", "hydra.run.dir=run")
    state = checkpoint(tmp_path / "run")
    first = json.loads((tmp_path / "run/metrics.json").read_text())
    assert 0 < state["callbacks"]["Clock"]["train"] <= first["train_seconds"] + 0.05
    assert state["callbacks"]["Clock"]["train"] < state["callbacks"]["Clock"]["wall"]
    state["callbacks"]["Clock"] = {"train": 1000.0, "wall": 2000.0}
    torch.save(state, tmp_path / "run/checkpoints/last.ckpt")
    command("train", "resume=run", "trainer.max_epochs=2")
    both = json.loads((tmp_path / "run/metrics.json").read_text())
    assert 1000 < both["train_seconds"] < 2000 < both["wall_seconds"]
    assert checkpoint(tmp_path / "run")["callbacks"]["Clock"]["train"] > 1000
