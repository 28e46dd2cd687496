"""What a training leaves behind, and the switches that change how it runs."""

import csv
import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import NARROW, SMALL, small
from lightning.pytorch.callbacks import ProgressBar
from PIL import Image

from inpainting.callbacks.epoch_lines import EpochLines
from inpainting.callbacks.evaluation import Evaluation
from inpainting.callbacks.progress import ProgressDisplay
from inpainting.errors import InputError
from inpainting.tasks import test as tasks_test


def test_a_run_leaves_the_folder_of_the_design(command, tmp_path: Path, capsys) -> None:
    command("train", *NARROW, "hydra.run.dir=run", "against=[mean_fill,telea,navier_stokes]")
    run = tmp_path / "run"
    assert (run / ".hydra" / "overrides.yaml").is_file() and (run / "train.log").is_file()
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["image_size"] == 32  # resolved
    start, *later = (run / "train.log").read_text().splitlines()
    epochs = [line for line in later if "] - epoch " in line]  # a slow one says how long it takes
    assert "GLCIC with " in start and "10 test" in start and str(run) in start
    assert "epoch 1 of 2: " in epochs[0] and "images/s" in epochs[0] and " left" in epochs[0]
    assert "epoch 2 of 2: " in epochs[1] and "psnr_hole " in epochs[1] and "left" not in epochs[1]

    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["n"] == 10 and metrics["seed"] == 0 and len(metrics["mask_hash"]) == 16
    assert metrics["wall_seconds"] > 0 and metrics["test_images_per_second"] > 0
    assert metrics["train_images_per_second"] > 0 and metrics["epochs"] == 2
    assert metrics["versions"]["torch"] == torch.__version__.split("+")[0]
    assert metrics["commit"] is None or len(metrics["commit"].removesuffix("-dirty")) == 40

    with open(run / "per_image.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and rows[0]["file"]
    mean = sum(float(row["psnr_hole"]) for row in rows) / len(rows)
    assert mean == pytest.approx(metrics["psnr_hole"], rel=1e-5)

    images = {path.name for path in (run / "images").iterdir()}
    grids = {"val_epoch_0000.png", "val_epoch_0001.png", "test.png", "comparison.png"}
    assert images == {*grids, "test"}  # single images are in test/
    grid = Image.open(run / "images/test.png")
    assert grid.height == 6 * 132 + 4  # six rows: target to completed local crop
    for name in ("mean_fill", "telea", "navier_stokes"):
        other = json.loads((run / "against" / name / "metrics.json").read_text())
        assert other["mask_hash"] == metrics["mask_hash"]
    shown = capsys.readouterr().out
    assert "navier_stokes" in shown and "comparison.png" in shown
    assert "parameters to train" in shown and "FLOPs" not in shown and "eval mode" not in shown
    assert (run / "table.md").read_text().count("\n| ") == 5


def test_best_holds_weights_alone_and_last_all_that_a_resume_needs(command, tmp_path: Path) -> None:
    command("train", *NARROW, "hydra.run.dir=run")
    best, last = (
        torch.load(tmp_path / f"run/checkpoints/{name}.ckpt", weights_only=True)
        for name in ("best", "last")
    )
    assert "optimizer_states" not in best and len(last["optimizer_states"]) == 3
    assert best["state_dict"].keys() == last["state_dict"].keys()
    assert not any("metric" in name for name in best["state_dict"])


def test_scalars_of_all_phases_and_validation_are_logged_by_batch(command, tmp_path: Path) -> None:
    command("train", *NARROW, "hydra.run.dir=run", "trainer.log_every_n_steps=1")
    with open(tmp_path / "run/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    losses = {key for row in rows for key, value in row.items() if value and "loss" in key}
    assert losses >= {"train/loss_completion", "train/loss_d", "train/loss_g", "val/loss"}
    assert sorted({int(row["step"]) for row in rows}) == list(range(16))  # 2 epochs of 8 batches
    validated = [int(row["step"]) for row in rows if row.get("val/psnr_hole")]
    assert validated == [7, 15]


def test_early_stopping_ends_a_training_that_gets_no_better(command, tmp_path: Path) -> None:
    # Without a step the validation never changes; higher is better for the PSNR that is monitored.
    typed = [*small("conv_ae"), "model.optimizer.lr=0", "monitor=val/psnr_hole"]
    typed += ["callbacks=early_stopping", "callbacks.early_stopping.patience=2"]
    command("train", *typed, "trainer.max_epochs=20", "hydra.run.dir=run")
    details = json.loads((tmp_path / "run/metrics.json").read_text())
    assert details["epochs"] == 3  # the first, and two that are no better
    log = (tmp_path / "run/train.log").read_text()
    assert "early stopping: val/psnr_hole has not been better than" in log
    assert "for 2 validations; the training ends with epoch 3" in log


@pytest.mark.parametrize("name", ["fast", "overfit", "limit", "profile"])
def test_debug_runs(command, tmp_path: Path, name: str) -> None:
    shorter = {"overfit": ["trainer.max_epochs=10"], "limit": ["data.batch_size=2"]}.get(name, [])
    shorter += ["data.eval_batch_size=1"]
    command("train", *NARROW, f"debug={name}", "hydra.run.dir=run", *shorter)
    assert (tmp_path / "run/metrics.json").is_file()
    if name == "profile":
        assert "run_training_epoch" in (tmp_path / "run/train.log").read_text()


def test_debug_fast_shrinks_every_model_by_its_own_settings(command, tmp_path: Path) -> None:
    for model, own in SMALL.items():
        plain = [text for text in small(model) if text not in own]
        command("train", *plain, "debug=fast", f"hydra.run.dir={model}")
        config = yaml.safe_load((tmp_path / model / "config.yaml").read_text())
        for text in own:
            key, _, value = text.partition("=")
            node = config
            for part in key.split("."):
                node = node[part]
            assert str(node) == value
    plain = [text for text in NARROW if text not in SMALL["glcic"]]
    command("train", *plain, "debug=fast", "model.width=6", "hydra.run.dir=typed")
    config = yaml.safe_load((tmp_path / "typed" / "config.yaml").read_text())
    assert config["model"]["width"] == 6


def test_without_callbacks_the_last_weights_are_tested(command, tmp_path: Path) -> None:
    command(
        "train",
        *[text for text in NARROW if not text.startswith("callbacks.")],
        "callbacks=none",
        "trainer.max_epochs=1",
        "hydra.run.dir=run",
    )
    assert json.loads((tmp_path / "run/metrics.json").read_text())["n"] == 10
    assert not (tmp_path / "run/checkpoints").exists()


def test_the_progress_display_can_be_switched_off(composed) -> None:
    from inpainting.tasks.build import build_trainer

    shown = [text for text in NARROW if text != "callbacks.progress=null"]
    for typed, bars in (([], 1), (["trainer.enable_progress_bar=false"], 0)):
        trainer = build_trainer(composed(*shown, "logger=none", *typed))
        assert len([one for one in trainer.callbacks if isinstance(one, ProgressBar)]) == bars


def test_the_progress_display_names_the_method_that_is_tested() -> None:
    display, described = ProgressDisplay(), []
    trainer = SimpleNamespace(
        callbacks=[Evaluation({}), display],
        test=lambda *_, **__: described.append(display.test_description),
    )
    for name in ("glcic", "telea"):
        with pytest.raises(InputError, match="saw no image"):
            tasks_test.test(trainer, None, None, name)
    assert described == ["Testing glcic", "Testing telea"]


def test_loggers_write_into_the_runs_folder(command, tmp_path: Path, monkeypatch) -> None:
    short = [*NARROW, "trainer.max_epochs=1"]
    command("train", *short, "logger=tensorboard", "hydra.run.dir=board")
    assert list((tmp_path / "board/tensorboard").glob("events.out.tfevents.*"))
    command("train", *short, "logger=wandb", "logger.wandb.offline=true", "hydra.run.dir=sent")
    assert list((tmp_path / "sent/wandb").glob("offline-run-*/*.wandb"))
    command("train", *short, "logger=none", "hydra.run.dir=silent")
    assert not (tmp_path / "silent/metrics.csv").exists()
    assert (tmp_path / "silent/metrics.json").exists()


@pytest.mark.parametrize("mask", ["strokes", "half", "expand", "pixels", "super_resolution"])
def test_any_mask_goes_with_any_method(command, tmp_path: Path, mask: str) -> None:
    command("train", *NARROW, f"mask={mask}", "debug=fast", "hydra.run.dir=run")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["psnr_hole"] > 0


def test_grey_images(command, tmp_path: Path) -> None:
    command("train", *NARROW, "data.channels=1", "debug=fast", "hydra.run.dir=run")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["n"] > 0


def test_places_end_to_end_on_real_photographs(command, tmp_path: Path, real_data) -> None:
    root = real_data("places")
    small = [text for text in NARROW if not text.startswith(("data=", "data.patches"))]
    command("train", *small, "data=places", f"data.root={root}", "debug=fast", "hydra.run.dir=run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["n"] == 8 and (tmp_path / "run/images/test.png").is_file()


def test_without_holes_there_is_nothing_to_measure_in_them(command, tmp_path: Path) -> None:
    command(
        "train",
        "model=mean_fill",
        *NARROW[1:6],
        "trainer=cpu",
        "callbacks.progress=null",
        "mask=none",
        "against=[telea]",
        "hydra.run.dir=run",
    )
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["psnr_hole"] is None and metrics["n_without_hole"] == metrics["n"] == 10
    assert metrics["psnr"] == 100 and metrics["l1"] == 0


@pytest.mark.slow
def test_further_tests_of_a_run_are_kept_in_its_folder(command, tmp_path: Path) -> None:
    command(
        "train",
        *NARROW,
        "trainer.max_epochs=1",
        "+tests.box=['mask=box']",
        "+tests.none=null",
        "hydra.run.dir=run",
    )
    (found,) = (tmp_path / "run/tests").iterdir()
    one, two = (
        json.loads((path / "metrics.json").read_text()) for path in (tmp_path / "run", found)
    )
    assert found.name == "box" and one["mask_hash"] != two["mask_hash"]
    assert two["mask"].startswith("Box") and two["run"].endswith("run")
    command("report", "run", "out=report")
    page = (tmp_path / "report/table.md").read_text()
    assert one["mask_hash"] in page and two["mask_hash"] in page


def test_tests_that_are_no_lists_are_refused(failure) -> None:
    error = failure("train", *NARROW, "+tests.box=box")
    assert error.endswith("tests.box=box: type a list of what evaluate gets, such as ['mask=box']")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_of_epochs_stay_off_a_terminal_with_a_display() -> None:
    root, lines = logging.getLogger(), EpochLines()
    screen, pipe = Terminal(), io.StringIO()
    handlers = [logging.StreamHandler(stream) for stream in (screen, pipe)]
    log = logging.getLogger("inpainting.callbacks.epoch_lines")
    log.setLevel(logging.INFO)
    displayed = SimpleNamespace(callbacks=[ProgressDisplay()])
    try:
        for handler in handlers:
            root.addHandler(handler)
        lines.setup(displayed, None, "fit")
        log.info("epoch 1")
        logging.getLogger("other").warning("else")
        lines.teardown(displayed, None, "fit")
        log.info("epoch 2")
        lines.setup(SimpleNamespace(callbacks=[]), None, "fit")
        log.info("epoch 3")
    finally:
        for handler in handlers:
            root.removeHandler(handler)
    assert screen.getvalue().split("\n") == ["else", "epoch 2", "epoch 3", ""]
    assert pipe.getvalue().count("epoch") == 3


def test_the_bar_of_a_long_sampling_moves_with_its_network_calls(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[float] = []
    original = ProgressDisplay.show_share

    def noted(self, share: float) -> None:
        original(self, share)
        bars = [task for task in self.progress.tasks if task.id == self.test_progress_bar_id]
        moved.extend(task.completed for task in bars)

    monkeypatch.setattr(ProgressDisplay, "show_share", noted)
    display = [text for text in small("ddpm") if text != "callbacks.progress=null"]
    settings = [*display, "trainer.max_epochs=1", "trainer.limit_train_batches=1"]
    command("train", *settings, "trainer.limit_test_batches=2", "hydra.run.dir=run")
    assert moved == sorted(moved) and len(set(moved)) == len(moved) > 4
    assert 0 < moved[0] < 0.5 and 1.9 < moved[-1] < 2  # of the second batch, nearly all
