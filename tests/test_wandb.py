"""The dashboard, as it is read back from what runs without a key wrote."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import wandb
import wandb_records
from conftest import NARROW, typed_in

from inpainting.errors import InputError
from inpainting.loggers.dashboard import Dashboard, has_key
from inpainting.runs.folder import SWEEP_JOB
from inpainting.wandb_view import parse, view

FEW = [*NARROW, "data.patches=[32,8,6]", "trainer.enable_model_summary=false", "logger=wandb"]


@pytest.fixture(scope="module", autouse=True)
def no_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", SWEEP_JOB):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", str(folder / "netrc"))
        for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
            patch.setenv(name, str(folder))
        yield


@dataclass
class Written:
    """A run's folder, what it printed, and what it wrote for wandb."""

    folder: Path
    printed: str
    records: list[Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]

    def all(self, kind: str) -> list[Any]:
        found = [one for one in self.records if one.WhichOneof("record_type") == kind]
        return [getattr(one, kind) for one in found]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A job of a sweep called table, two epochs of four batches with all phases in each."""
    folder = tmp_path_factory.mktemp("dashboard")
    typed = ["logger.wandb.log_model=true", "row=first", "trainer.log_every_n_steps=1"]
    with typed_in(folder) as run, pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWEEP_JOB, "1")
        with redirect_stdout(io.StringIO()) as printed:
            run("train", *FEW, *typed, "hydra.run.dir=table/first-seed0")
    wandb.teardown()  # its own process may still be writing
    folder = folder / "table/first-seed0"
    found = list(wandb_records.records(folder / "wandb"))
    history, summary = wandb_records.history(found), wandb_records.summary(found)
    return Written(folder, printed.getvalue(), found, history, summary)


def test_losses_of_all_phases_are_logged_over_batches(written: Written) -> None:
    losses = {"train/loss_completion": 2, "train/loss_d": 6, "train/loss_g": 2}
    for name, at_least in losses.items():
        batches = [row["batch"] for row in written.history if name in row]
        assert len(batches) >= at_least
        assert batches == sorted(set(batches)) and batches[-1] < 8
    logged = [row["batch"] for row in written.history if any("train/" in key for key in row)]
    assert logged == list(range(8))  # although the joint phase steps twice a batch
    with open(written.folder / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss_d"]]
    discriminator = {
        row["batch"]: row["train/loss_d"] for row in written.history if "train/loss_d" in row
    }
    assert {int(row["step"]): float(row["train/loss_d"]) for row in rows} == discriminator


def test_learning_rates_and_speed_are_logged(written: Written) -> None:
    rates = {name for row in written.history for name in row if name.startswith("lr/")}
    assert rates == {"lr/completion", "lr/discriminator", "lr/joint"}
    rows = [row for row in written.history if "lr/joint" in row]
    assert [row["batch"] for row in rows] == list(range(8))
    assert {row["lr/joint"] for row in rows} == {0.001}
    speeds = [row for row in written.history if "images_per_second" in row]
    assert [row["batch"] for row in speeds] == [3, 7]
    assert all(row["images_per_second"] > 0 for row in speeds)


def test_every_chart_has_the_axis_of_batches(written: Written) -> None:
    axes = {one.name or one.glob_name: one.step_metric for one in written.all("metric")}
    assert axes.pop("batch") == axes.pop("epoch") == ""
    assert axes["*"] == "batch" and set(axes.values()) == {"batch"}


def test_the_summary_keeps_the_best_validation(written: Written) -> None:
    for name, best in (("val/psnr_hole", max), ("val/ssim_hole", max), ("val/loss", min)):
        values = [row[name] for row in written.history if name in row]
        assert len(values) == 2
        assert written.summary[name][best.__name__] == pytest.approx(best(values))
        assert written.summary[name]["last"] == pytest.approx(values[-1])


def test_the_same_panel_of_images_is_logged_at_each_validation(written: Written) -> None:
    images = [row for row in written.history if "images.filenames" in row]
    assert [row["batch"] for row in images] == [3, 7]
    assert [row["images.captions"] for row in images] == [["epoch 0"], ["epoch 1"]]
    for row in images:
        (file,) = row["images.filenames"]
        assert list((written.folder / "wandb").glob(f"offline-run-*/files/{file}"))


def test_the_test_table_has_split_and_the_numbers_of_per_image_csv(written: Written) -> None:
    (path,) = [row["test/images.path"] for row in written.history if "test/images.path" in row]
    (file,) = (written.folder / "wandb").glob(f"offline-run-*/files/{path}")
    table = json.loads(file.read_text())
    assert table["columns"][:4] == ["file", "target", "masked", "completion"]
    with open(written.folder / "per_image.csv", newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(table["data"]) == len(rows) == 6
    for line, row in zip(table["data"], rows, strict=True):
        values = dict(zip(table["columns"], line, strict=True))
        images = [values.pop(kind) for kind in ("target", "masked", "completion")]
        assert None not in images
        assert values.pop("file") == row.pop("file")
        assert values == {name: pytest.approx(float(value)) for name, value in row.items()}
    numbers = json.loads((written.folder / "metrics.json").read_text())
    for name in ("psnr_hole", "n", "mask_hash"):
        assert written.summary[f"test/{name}"] == numbers[name]


def test_the_run_says_what_it_is(written: Written) -> None:
    (run,) = written.all("run")
    assert (run.run_group, run.display_name) == ("table", "table/first-seed0")
    assert (run.job_type, run.project) == ("train", "inpainting")
    assert list(run.tags) == ["glcic", "first"]
    config = wandb_records.config(written.records)
    assert config["model"]["width"] == 8 and config["data"]["patches"] == [32, 8, 6]
    assert config["paths"]["run"] == str(written.folder)  # resolved
    commit = json.loads((written.folder / "metrics.json").read_text())["commit"]
    assert config["code"]["commit"] == commit
    if commit:
        assert run.git.commit == commit.removesuffix("-dirty")
    assert [one.exit_code for one in written.all("exit")] == [0]


def test_checkpoints_are_artifacts_on_request(written: Written) -> None:
    models = [one for one in written.all("artifact") if one.type == "model"]
    assert models and "best" in models[-1].aliases
    metadata = json.loads(models[-1].metadata)
    assert metadata["original_filename"] == "best.ckpt"
    assert metadata["score"] == pytest.approx(written.summary["val/psnr_hole"]["max"])


def test_without_a_key_one_line_says_how_to_send_it(written: Written) -> None:
    (line,) = [one for one in written.printed.splitlines() if "wandb" in one]
    told, path = line.rsplit(" ", 1)
    assert told == "wandb: offline; wandb sync"
    assert Path(path).parent == written.folder / "wandb" and list(Path(path).glob("*.wandb"))


def test_a_failed_run_is_shown_as_failed(tmp_path: Path) -> None:
    with typed_in(tmp_path) as run, pytest.raises(SystemExit):
        run("train", *FEW, "model.optimizer_completion.lr=1e30", "hydra.run.dir=run")
    wandb.teardown()
    (end,) = [
        one.exit.exit_code
        for one in wandb_records.records(tmp_path / "run/wandb")
        if one.WhichOneof("record_type") == "exit"
    ]
    assert end == 1


def test_an_evaluation_is_a_run_of_its_own_kind_with_the_test(tmp_path: Path) -> None:
    few = ["data.image_size=32", "data.patches=[32,8,6]", "trainer=cpu"]
    with typed_in(tmp_path) as run:
        run("evaluate", "model=telea", "data=photos", *few, "logger=wandb", "hydra.run.dir=run")
    wandb.teardown()
    records = list(wandb_records.records(tmp_path / "run/wandb"))
    (kind,) = [one.run.job_type for one in records if one.WhichOneof("record_type") == "run"]
    assert kind == "evaluate"
    measured = json.loads((tmp_path / "run/metrics.json").read_text())["psnr_hole"]
    assert wandb_records.summary(records)["test/psnr_hole"] == pytest.approx(measured)


@pytest.mark.slow
def test_two_runs_of_a_sweep_are_two_runs_of_one_group(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inpainting.train", "-m", *FEW, "trainer.max_epochs=1"]
    command += ["seed=0,1", "name=two"]
    environment = {**os.environ, "INPAINTING_CACHE": str(tmp_path / "cache")}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    runs = []
    for job in ("0", "1"):
        found = list(wandb_records.records(tmp_path / "outputs/sweeps/two" / job / "wandb"))
        runs += [one.run for one in found if one.WhichOneof("record_type") == "run"]
    assert len({run.run_id for run in runs}) == 2
    assert {run.run_group for run in runs} == {"two"}
    assert [run.display_name for run in runs] == ["two/0", "two/1"]


def test_it_goes_online_only_with_a_key_and_what_is_typed_wins(tmp_path: Path, monkeypatch) -> None:
    def mode(**typed: Any) -> str | None:
        return Dashboard(save_dir=str(tmp_path), **typed)._mode()

    assert not has_key() and mode() == "offline"
    assert mode(offline=False) is None
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + 40 * "0")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("inpainting.loggers.dashboard.is_reachable", lambda: True)
    assert has_key() and mode() is None
    assert mode(offline=True) == "offline"
    monkeypatch.delenv("NETRC")
    monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
    assert has_key()


def test_a_key_without_a_network_logs_offline(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    wandb.teardown()
    assert Dashboard(save_dir=str(tmp_path))._mode() == "offline"
    assert "cannot be reached" in caplog.text
    wandb.teardown()


def test_a_view_needs_a_sweep_and_a_key(failure) -> None:
    assert parse(["anna/inpainting", "group=table"]) == ("anna", "inpainting", "table")
    for typed in (["inpainting", "group=table"], ["anna/inpainting", "table"]):
        with pytest.raises(InputError, match="type the"):
            parse(typed)
    assert "wandb login" in failure("wandb_view", "anna/inpainting", "group=table")


def test_a_view_shows_the_runs_of_its_sweep_alone() -> None:
    if find_spec("wandb_workspaces") is None:
        pytest.skip("needs wandb-workspaces, an extra that is not installed here")
    saved = view("anna", "inpainting", "table")._to_model().model_dump_json()
    assert '{"section":"run","name":"group"},"op":"=","value":"table"' in saved
    assert "val/psnr_hole" in saved and "test/images" in saved
