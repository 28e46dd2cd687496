"""Sweeps: a report's table from one command, that goes on where it stopped."""

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
from conftest import NARROW, PLUGINS, SHORT, skip_without_plugin
from filelock import FileLock
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import OmegaConf

from inpainting.errors import InputError
from inpainting.runs.settings import differing
from inpainting.runs.status import failure_reason, status
from inpainting.sweeps.job import _command, note_end, run_job, run_to_end
from inpainting.sweeps.plan import Job, Sweep, check_jobs, planned
from inpainting.sweeps.table import print_jobs

# What each row of report 004's table changes, and what it is compared with.
TABLE = {
    "original": (None, {}),
    "phases_20_50_30": ("original", {"model.phases": [0.2, 0.5, 0.3]}),
    "phases_20_30_50": ("original", {"model.phases": [0.2, 0.3, 0.5]}),
    "mse_adv_10": ("original", {"model.mse_weight": 10}),
    "mse_adv_100": ("original", {"model.mse_weight": 100}),
    "batch_256": ("original", {"data.batch_size": 256}),
    "later": (
        "original",
        {"model.dilations": [1, 2, 4, 8], "model.bottleneck_convs": 1, "model.head": "later"},
    ),
    "later_pool": ("later", {"model.head": "later_pool"}),
    "later_bottleneck_3": ("later", {"model.dilations": [1, 2, 4]}),
}

# Counted on the authors' code; the report says "more than 34 million".
PARAMETERS = {
    "original": 34_222_340,
    "later": 29_959_684,
    "later_pool": 28_647_940,
    "later_bottleneck_3": 29_369_092,
}


@pytest.fixture
def plan(composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Job]]:
    """The jobs that a command line would start, without starting any."""
    monkeypatch.chdir(tmp_path)

    def of(*typed: str) -> list[Job]:
        hydra = GlobalHydra.instance().hydra
        config = hydra.compose_config("train", list(typed), RunMode.MULTIRUN)
        jobs = planned(config)
        check_jobs(jobs)
        return jobs

    return of


def test_the_table_has_the_reports_rows_and_each_changes_one_thing(plan) -> None:
    jobs = {job.row: job for job in plan("sweep=glcic_table", "data.root=PATH")}
    assert list(jobs) == list(TABLE)
    for row, (base, changes) in TABLE.items():
        job = jobs[row]
        assert job.compared_with == base
        assert job.folder == Path("outputs/sweeps/glcic_table") / f"{row}-seed0"
        if base is not None:
            keys = differing(jobs[base].settings, job.settings)
            assert set(keys) == {*changes, "row", "compared_with"}
            assert {key: job.settings[key] for key in changes} == changes
    assert jobs["original"].settings["model.phases"] == [0.33, 0.33, 0.34]
    assert jobs["original"].settings["data.batch_size"] == 128


@pytest.mark.parametrize("row", PARAMETERS)
def test_the_rows_have_the_reports_networks(composed, row: str) -> None:
    config = composed(f"experiment=glcic_table/{row}")
    with torch.device("meta"):
        method = instantiate(config.model, _convert_="all")
    assert sum(p.numel() for p in method.parameters()) == PARAMETERS[row]


def test_seeds_data_epochs_and_width_are_typed_and_test_images_stay(plan) -> None:
    typed = ["data=folder", "data.root=PATH", "trainer.max_epochs=3", "model.width=8"]
    rows = "experiment=glcic_table/original,glcic_table/later"
    jobs = plan("sweep=glcic_table", rows, "seed=0,1,2", *typed)
    assert len(jobs) == 6 and len({job.folder for job in jobs}) == 6
    assert {job.folder.name for job in jobs if job.row == "later"} == {
        f"later-seed{seed}" for seed in range(3)
    }
    for job in jobs:
        assert job.settings["trainer.max_epochs"] == 3 and job.settings["model.width"] == 8
        assert job.settings["data.root"] == "PATH"
    for key in ("data.split_seed", "data.eval_mask_seed", "eval_mask_seed"):
        assert len({job.settings[key] for job in jobs}) == 1


def test_the_batch_row_keeps_its_meaning_on_small_data(plan) -> None:
    rows = "experiment=glcic_table/original,glcic_table/batch_larger"
    typed = ["sweep=glcic_table", "data.root=PATH", rows]
    jobs = {job.row: job for job in plan(*typed, "rows.batch_size=16", "rows.larger_batch_size=32")}
    assert jobs["batch_32"].settings["data.batch_size"] == 32
    assert jobs["original"].settings["data.batch_size"] == 16
    with pytest.raises(InputError, match="batch_256.*original.*something typed"):
        plan(*typed, "data.batch_size=16")


def test_fewer_rows_and_other_names_can_be_typed(plan) -> None:
    fewer = ["experiment=glcic_table/later,glcic_table/later_pool", "name=elsewhere"]
    jobs = plan("sweep=glcic_table", "data.root=PATH", *fewer)
    assert [job.folder.as_posix() for job in jobs] == [
        "outputs/sweeps/elsewhere/later-seed0",
        "outputs/sweeps/elsewhere/later_pool-seed0",
    ]


def test_two_jobs_never_share_a_folder(plan) -> None:
    with pytest.raises(InputError, match=r"original-seed0.*model\.width"):
        row = "experiment=glcic_table/original"
        plan("sweep=glcic_table", "data.root=PATH", row, "model.width=8,16")


def test_an_ordinary_multirun_numbers_its_folders(plan) -> None:
    jobs = plan("model.width=8,16", "seed=0,1", "name=widths")
    assert [job.folder.as_posix() for job in jobs] == [
        f"outputs/sweeps/widths/{number}" for number in range(4)
    ]


def test_a_sweep_over_models_lies_in_one_folder_that_is_reported(plan) -> None:
    models = "model=telea,mean_fill"
    jobs = plan(models)
    together = Path("outputs/sweeps/telea-mean_fill")
    assert [job.folder for job in jobs] == [together / "0", together / "1"]
    # Hydra composes each job from what the callback leaves of the sweep's configuration.
    hydra = GlobalHydra.instance().hydra
    config = hydra.compose_config("train", [models], RunMode.MULTIRUN)
    Sweep().on_multirun_start(config)
    assert Path(config.hydra.sweep.dir) == together  # of the table and the printed command
    for model in ("telea", "mean_fill"):
        job = hydra.config_loader.load_sweep_config(config, [f"model={model}"])
        assert Path(job.hydra.sweep.dir) == together and job.name == model


def test_a_table_wants_names_for_its_rows(plan) -> None:
    report = ["sweep=glcic_table", "experiment=glcic/report", "data.root=PATH"]
    with pytest.raises(InputError, match=r"glcic/report is not a row.*row=NAME"):
        plan(*report)
    assert [job.folder.name for job in plan(*report, "row=mine")] == ["mine-seed0"]


def test_an_interrupted_job_takes_what_is_typed_about_its_display(
    plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = ["logger=csv", "callbacks.grids.count=2", "++trainer.enable_progress_bar=false"]
    config = GlobalHydra.instance().hydra.compose_config(
        "train", ["model.width=8", *shown, "resume=null"], RunMode.RUN
    )
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    HydraConfig.instance().set_config(config)
    folder = tmp_path / "job"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "checkpoints/last.ckpt"):
        (folder / name).touch()
    typed = _command(folder)[3:]
    assert set(shown) < set(typed) and "model.width=8" not in typed
    assert typed[-1] == f'resume="{folder}"'  # the last wins


def test_a_running_job_is_left_alone_with_a_sentence_that_helps(plan, tmp_path: Path) -> None:
    config = GlobalHydra.instance().hydra.compose_config("train", [], RunMode.RUN)
    with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="or type name=OTHER$"):
        run_job(config, tmp_path)


def test_another_configuration_in_the_same_place_is_refused_before_any_job(
    plan, tmp_path: Path
) -> None:
    typed = ["model.width=8,16", "name=widths"]
    last = plan(*typed)[1]
    folder = tmp_path / last.folder
    folder.mkdir(parents=True)
    stored = GlobalHydra.instance().hydra.compose_config(
        "train", ["model.width=16", "name=widths", f"paths.run={folder}"], RunMode.RUN
    )
    del stored.hydra
    OmegaConf.save(
        OmegaConf.create(OmegaConf.to_container(stored, resolve=True)), folder / "config.yaml"
    )
    # Neither what is shown nor where a run lies or is logged makes it another run.
    shown = ["callbacks.progress=null", "logger=none", "trainer.enable_model_summary=false"]
    plan(*typed, *shown, "paths.cache=/elsewhere", "data.num_workers=1")
    with pytest.raises(
        InputError, match=r"trainer\.max_epochs is 20 there and 3 now; type trainer"
    ):
        plan(*typed, "trainer.max_epochs=3")


ROWS = "glcic_table/original,glcic_table/mse_adv_10"
SMALL = [text for text in NARROW if not text.startswith(("model=", "data.batch_size"))]
SWEEP = ["sweep=glcic_table", f"experiment={ROWS}", "rows.batch_size=8", *SMALL]


def typed_elsewhere(folder: Path, *arguments: str, module: str = "train") -> subprocess.Popen:
    """A command in a process of its own."""
    cache = str(folder / "cache")
    return subprocess.Popen(
        [sys.executable, "-m", f"inpainting.{module}", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "INPAINTING_CACHE": cache},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # where this suite runs in the background, its children would ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def shown_to_the_end(process: subprocess.Popen) -> str:
    """What a command prints until it ends; it is stopped where it takes far too long."""
    try:
        return process.communicate(timeout=900)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        raise


def numbers(folder: Path) -> dict:
    content = json.loads((folder / "metrics.json").read_text())
    return {
        k: v for k, v in content.items() if k.startswith(("psnr", "ssim", "l1", "mask", "best"))
    }


def test_a_sweep_goes_on_after_a_failure_and_where_it_stopped(
    command, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    short = [*NARROW, "trainer.max_epochs=1"]
    typed = ["-m", *short, "name=starts", "init_from=weights.ckpt,null"]
    first, second = (tmp_path / "outputs/sweeps/starts" / name for name in "01")

    def table() -> tuple[int, str]:
        try:
            command("train", *typed)
            code = 0
        except SystemExit as stopped:
            code = stopped.code
        return code, capfd.readouterr().out

    # One job fails; the other is trained, and the table and the exit status say so.
    code, shown = table()
    assert code == 1
    assert "failed" in shown and "finished" in shown
    assert "python -m inpainting.report outputs/sweeps/starts" in shown
    assert "weights.ckpt" in (first / "failed.txt").read_text()
    assert (first / "failed.txt").read_text().count("\n") == 1
    assert not (first / "metrics.json").exists()
    assert [path.name for path in (second / "checkpoints").iterdir()] == ["best.ckpt"]
    assert json.loads((second / "metrics.json").read_text())["monitor"] == "val/psnr_hole"

    # On request, what failed is tried again, and nothing else.
    before = (second / "metrics.json").stat().st_mtime_ns
    shutil.copy(second / "checkpoints/best.ckpt", tmp_path / "weights.ckpt")
    typed.append("retry_failed=true")
    code, shown = table()
    assert code == 0 and "skipped" in shown and "finished" in shown
    assert not (first / "failed.txt").exists() and numbers(first)["best"] > 0
    assert numbers(first)["mask_hash"] == numbers(second)["mask_hash"]
    assert (second / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_corrected_command_runs_what_was_refused_and_what_failed_in_training_waits(
    command, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # The user's own configurations, for all jobs.
    own = tmp_path / "my" / "experiment" / "mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nname: mine\nmask:\n  max_side: 80\n  min_side: 70\n")
    typed = ["--config-dir", "my", "-m", "experiment=mine", *SHORT, "model=mean_fill"]
    folder = tmp_path / "outputs/sweeps/mine/0"
    with pytest.raises(SystemExit):
        command("train", *typed)
    assert "mask.min_side=70" in failure_reason(folder)  # that of a hole larger than the image
    command("train", *typed, "mask.min_side=8", "mask.max_side=12")
    assert status(folder) == "finished" and failure_reason(folder) == ""

    # A training that failed may have cost hours: not again unasked.
    failed = tmp_path / "outputs/sweeps/mine/1"
    shutil.copytree(folder, failed)
    (failed / "metrics.json").unlink()
    (failed / "failed.txt").write_text("the loss became NaN\n")
    config = OmegaConf.load(failed / "config.yaml")
    assert run_job(config, failed) is None and status(failed) == "failed"


@pytest.mark.slow
def test_a_sweep_that_is_stopped_ends_its_job_and_goes_on_to_the_same_result(
    command, tmp_path: Path
) -> None:
    later = ["sweep=glcic_table", "experiment=glcic_table/later", "rows.batch_size=8"]
    typed = [*later, *SMALL, "trainer.max_epochs=6"]
    folder = tmp_path / "outputs/sweeps/glcic_table/later-seed0"

    def stopped(sent: signal.Signals, epochs: int) -> None:
        sweep = typed_elsewhere(tmp_path, *typed)
        log, until = folder / "metrics.csv", time.monotonic() + 900
        while not (log.is_file() and log.read_text().count("\n") > 5 * epochs):
            assert time.monotonic() < until and sweep.poll() is None
            time.sleep(0.05)
        sweep.send_signal(sent)
        shown = shown_to_the_end(sweep)
        assert sweep.returncode == 128 + sent, shown
        assert not (folder / "failed.txt").exists() and not (folder / "metrics.json").exists()
        assert (folder / "checkpoints/last.ckpt").is_file()

    stopped(signal.SIGTERM, 1)
    stopped(signal.SIGINT, 3)
    done = typed_elsewhere(tmp_path, *typed, "callbacks.grids.count=2")
    shown = shown_to_the_end(done)
    assert done.returncode == 0, shown
    assert OmegaConf.load(folder / "config.yaml").callbacks.grids.count == 2
    command("train", *typed, "hydra.mode=RUN", "hydra.run.dir=whole")
    assert numbers(folder) == numbers(tmp_path / "whole")
    # What a sweep trained is measured as any other run is, and starts no sweep.
    command("evaluate", f"run={folder}", "hydra.run.dir=measured", "trainer=cpu")
    assert numbers(tmp_path / "measured")["psnr_hole"] == numbers(folder)["psnr_hole"]


def test_a_job_that_was_killed_is_noted_as_failed_and_one_that_was_stopped_is_not(
    tmp_path: Path,
) -> None:
    for name, sent in (("killed", signal.SIGKILL), ("stopped", signal.SIGTERM)):
        (tmp_path / name).mkdir()
        program = f"import os; os.kill(os.getpid(), {int(sent)})"
        note_end(tmp_path / name, run_to_end([sys.executable, "-c", program]))
    assert "was killed by SIGKILL" in failure_reason(tmp_path / "killed")
    assert status(tmp_path / "killed") == "failed" and status(tmp_path / "stopped") == "new"


def test_the_table_shows_a_sentence_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "original-seed0"
    (job / ".hydra").mkdir(parents=True)
    (job / ".hydra/config.yaml").write_text("row: original\nseed: 0\nname: table\n")
    (job / ".hydra/overrides.yaml").write_text("[seed=0]\n")
    (job / "failed.txt").write_text("type against=[mean_fill,telea]\n")
    print_jobs([job], tmp_path, time.time())
    shown = capsys.readouterr().out
    assert "original" in shown and "failed" in shown and "type against=[mean_fill,telea]" in shown


@pytest.mark.slow
def test_two_devices_train_each_row_once(tmp_path: Path) -> None:
    """Lightning starts rank 1 with the command line: it must not start the sweep again."""
    done = typed_elsewhere(
        tmp_path,
        *[text for text in SWEEP if text != "trainer=cpu"],
        "trainer=ddp_cpu",
        "trainer.max_epochs=1",
        "rows.batch_size=4",
    )
    shown = shown_to_the_end(done)
    assert done.returncode == 0, shown
    outputs = tmp_path / "outputs"
    jobs = ["mse_adv_10-seed0", "original-seed0"]
    assert sorted(path.parent.name for path in outputs.rglob("metrics.json")) == jobs
    assert sorted(p.name for p in (outputs / "sweeps/glcic_table").iterdir() if p.is_dir()) == jobs
    assert [path.name for path in outputs.iterdir() if path.name != "cache"] == ["sweeps"]
    # 64 images in batches of 4 on each of two devices: eight rows of an epoch, logged once
    for job in jobs:
        rows = (outputs / "sweeps/glcic_table" / job / "metrics.csv").read_text().splitlines()
        assert len(rows) < 10 and len(set(rows)) == len(rows), rows
    assert shown.count("Launching 2 jobs") == 1


@pytest.mark.parametrize("typed", PLUGINS)
def test_the_yaml_of_each_plugin_composes(composed, typed: str) -> None:
    skip_without_plugin([typed])
    hydra = GlobalHydra.instance().hydra
    config = hydra.compose_config("train", [typed], RunMode.MULTIRUN)
    OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    OmegaConf.to_container(config.hydra.launcher, resolve=True)
    if "optuna" in typed:
        assert config.hydra.sweeper.direction is None and planned(config) == []
        for monitor, direction in {"val/psnr_hole": "maximize", "val/l1": "minimize"}.items():
            typed_too = [typed, f"monitor={monitor}"]
            config = hydra.compose_config("train", typed_too, RunMode.MULTIRUN)
            Sweep().on_multirun_start(config)
            assert config.hydra.sweeper.direction == direction
