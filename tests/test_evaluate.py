"""A run measured again: the same numbers, other data, other holes, beside other methods."""

import csv
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, typed_in
from omegaconf import OmegaConf
from PIL import Image

from inpainting.methods.glcic import GLCIC
from inpainting.runs.naming import asked, run_name
from inpainting.sweeps.job import out_of_date

CLASSICAL = ["mean_fill", "telea", "navier_stokes"]
METRICS = ["l1", "psnr", "ssim", "l1_hole", "psnr_hole", "ssim_hole", "l1_local", "psnr_local"]
METRICS += ["psnr_hole_pooled"]


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def numbers(folder: Path) -> dict[str, float]:
    return {name: metrics(folder)[name] for name in METRICS}


def column(folder: Path, name: str) -> list[str]:
    with open(folder / "per_image.csv", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def values(folder: Path, name: str) -> np.ndarray:
    return np.array(column(folder, name), dtype=np.float64)


def state(folder: Path) -> dict[Path, tuple[int, str]]:
    """Time of change and content of every file."""
    return {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second run, of another seed, with larger holes."""
    folder = tmp_path_factory.mktemp("other")
    with typed_in(folder) as run:
        narrow = [*NARROW, "trainer.max_epochs=1", "hydra.run.dir=other"]
        run("train", *narrow, "seed=1", "mask.max_side=0.5")
    return folder / "other"


def test_a_run_measured_again_gives_its_own_numbers_and_stays_as_it_was(
    command, tmp_path: Path, trained: Path
) -> None:
    before = state(trained)
    command("evaluate", f"run={trained}", "hydra.run.dir=again")
    assert state(trained) == before
    assert numbers(tmp_path / "again") == numbers(trained)
    assert metrics(tmp_path / "again")["mask_hash"] == metrics(trained)["mask_hash"]
    for name in ("file", "psnr_hole"):
        assert column(tmp_path / "again", name) == column(trained, name)


def test_a_fill_without_training_meets_the_images_and_holes_of_a_run(
    command, failure, tmp_path: Path, other: Path, capsys
) -> None:
    shutil.copytree(other, tmp_path / "sweep" / "row-seed1")
    command("report", "sweep")  # no fill without training was tested, and it says what adds some
    said = " ".join(capsys.readouterr().out.split())
    typed = shlex.split(re.search(r"python -m inpainting.evaluate (.*?floor)", said)[1])
    command("evaluate", *typed)
    floor = tmp_path / "sweep" / "floor"
    assert metrics(floor)["method"] == "telea"
    assert metrics(floor)["mask_hash"] == metrics(other)["mask_hash"]
    command("report", "sweep")  # it takes them up, in one table
    table = (tmp_path / "sweep" / "table.md").read_text()
    for name in ("telea", "mean_fill", "navier_stokes"):
        assert f"| {name} " in table
    assert table.count("## photos, holes rectangle") == 1 and "No fill without" not in table

    run = f"holes_of={other}"
    assert "leave out mask=half" in failure("evaluate", "model=telea", run, "mask=half")
    assert f"leave out run={other}" in failure("evaluate", f"run={other}", run)
    command("evaluate", "model=telea", run, "metrics=sharpness", "hydra.run.dir=sharp")
    assert metrics(tmp_path / "sharp")["mask_hash"] == metrics(other)["mask_hash"]
    assert metrics(tmp_path / "sharp")["sharpness"] > 0


def test_a_run_beside_the_classical_fills_on_other_holes(
    command, tmp_path: Path, trained: Path
) -> None:
    command("evaluate", f"run={trained}", "mask=medium", f"against=[{','.join(CLASSICAL)}]")
    (folder,) = (tmp_path / "outputs" / "evaluate" / "glcic").iterdir()  # a folder of its own
    folders = [folder, *(folder / "against" / name for name in CLASSICAL)]
    assert {metrics(one)["mask_hash"] for one in folders} == {metrics(folder)["mask_hash"]}
    assert metrics(folder)["mask_hash"] != metrics(trained)["mask_hash"]

    for one in folders:  # a line an image, with the mean that metrics.json states
        assert column(one, "file") == column(trained, "file")
        assert values(one, "psnr_hole").mean() == pytest.approx(metrics(one)["psnr_hole"])
        with Image.open(one / "images" / "test.png") as image:
            assert min(image.size) > 100

    lines = (folder / "table.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    assert [row[0] for row in rows[2:]] == ["glcic", *CLASSICAL]
    place = rows[0].index("glcic's gain in PSNR hole")
    assert rows[2][place] == ""  # no gain over itself
    for one, row in zip(folders[1:], rows[3:], strict=True):
        gain, low, high = map(float, re.findall(r"[+-]\d+\.\d+", row[place].replace("−", "-")))
        difference = values(folder, "psnr_hole") - values(one, "psnr_hole")
        assert gain == pytest.approx(difference.mean(), abs=0.0051)
        # Student's t for nine degrees of freedom, from a table
        half = 2.262 * difference.std(ddof=1) / len(difference) ** 0.5
        assert [low, high] == pytest.approx([gain - half, gain + half], abs=0.011)
    with Image.open(folder / "images" / "comparison.png") as image:
        assert min(image.size) > 100


def test_a_run_on_a_folder_of_other_images(command, tmp_path: Path, trained: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "own").mkdir()
    for i in range(9):
        pixels = rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "own" / f"image{i}.png")
    # data.patches, which the run was trained with, is unknown to a folder.
    command(
        "evaluate", f"run={trained}", "data=folder", "data.root=own",
        "data.shares=[0.34,0.33,0.33]", "hydra.run.dir=own_test",
    )  # fmt: skip
    details = metrics(tmp_path / "own_test")
    assert details["n"] == 3
    assert details["image_size"] == 32  # the run's, which all data sets know
    assert set(column(tmp_path / "own_test", "file")) < {f"image{i}.png" for i in range(9)}


def test_what_is_typed_wins_over_the_run(command, tmp_path: Path, other: Path) -> None:
    command("evaluate", f"run={other}", "data.image_size=48", "hydra.run.dir=larger")
    assert metrics(tmp_path / "larger")["image_size"] == 48
    assert "max_side=0.5" in metrics(tmp_path / "larger")["mask"]  # still the run's
    command("evaluate", f"run={other}", "mask.max_side=0.4", "hydra.run.dir=smaller")
    assert "max_side=0.4," in metrics(tmp_path / "smaller")["mask"]
    # mask.max_side, which the run was trained with, is unknown to strokes.
    command("evaluate", f"run={other}", "mask=thin", "hydra.run.dir=strokes")
    assert metrics(tmp_path / "strokes")["mask"].startswith("Strokes")


def test_a_run_on_images_of_a_size_its_network_does_not_take(
    command, tmp_path: Path, trained: Path
) -> None:
    command("evaluate", f"run={trained}", "data.image_size=30", "hydra.run.dir=odd")
    assert metrics(tmp_path / "odd")["image_size"] == 30


def test_settings_of_the_model_apply_on_top_of_the_run(
    command, tmp_path: Path, trained: Path
) -> None:
    command("evaluate", f"run={trained}", "model.fill=0.9", "hydra.run.dir=light")
    light, own = metrics(tmp_path / "light"), metrics(trained)
    assert light["mask_hash"] == own["mask_hash"]
    assert light["psnr_hole"] != own["psnr_hole"]
    config = OmegaConf.load(tmp_path / "light" / "config.yaml")
    assert (config.model.fill, config.model.width) == (0.9, 8)


def test_a_setting_that_is_newer_than_the_run_can_be_typed(
    command, tmp_path: Path, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "older")
    config = OmegaConf.load(tmp_path / "older" / "config.yaml")
    del config.model.num_completions  # as if there had been none when it was trained
    OmegaConf.save(config, tmp_path / "older" / "config.yaml")
    command("evaluate", "run=older", "hydra.run.dir=a")
    command("evaluate", "run=older", "model.num_completions=2", "hydra.run.dir=b")
    models = [OmegaConf.load(tmp_path / name / "config.yaml").model for name in "ab"]
    assert [model.get("num_completions") for model in models] == [None, 2]
    assert numbers(tmp_path / "a") == numbers(trained)


def test_a_run_beside_another_run(command, tmp_path: Path, trained: Path, other: Path) -> None:
    # On the holes of `other`, so that its numbers are known from its own test.
    command(
        "evaluate", f"run={trained}", "mask.max_side=0.5", f"against={other}", "hydra.run.dir=a"
    )
    assert numbers(tmp_path / "a" / "against" / "other") == numbers(other)
    assert metrics(tmp_path / "a")["mask_hash"] == metrics(other)["mask_hash"]
    assert numbers(tmp_path / "a") != numbers(other)


@pytest.mark.parametrize(
    "change", ["data.eval_batch_size=3", "data.num_workers=1", "seed=7", "channels_last=false"]
)
def test_numbers_do_not_depend_on_how_they_are_computed(
    command, tmp_path: Path, trained: Path, change: str
) -> None:
    command("evaluate", f"run={trained}", change, "hydra.run.dir=changed")
    changed = tmp_path / "changed"
    assert metrics(changed)["mask_hash"] == metrics(trained)["mask_hash"]
    assert numbers(changed) == pytest.approx(numbers(trained), rel=1e-4)
    assert values(changed, "psnr_hole") == pytest.approx(values(trained, "psnr_hole"), rel=1e-4)


def test_a_method_without_training_needs_no_run_and_leaves_a_runs_folder(
    command, tmp_path: Path
) -> None:
    data = ["data.image_size=32", "data.patches=[8,8,6]", "callbacks.progress=null"]
    command("train", "model=telea", *data, "seed=3", "hydra.run.dir=trained")
    command("evaluate", "model=telea", *data, "hydra.run.dir=measured")
    assert numbers(tmp_path / "trained") == numbers(tmp_path / "measured")

    folder = tmp_path / "trained"
    details = metrics(folder)
    assert (details["method"], details["n"], details["seed"]) == ("telea", 6, 3)
    assert re.fullmatch("[0-9a-f]{16}", details["mask_hash"])
    assert details["versions"]["torch"] and "commit" in details
    assert details["wall_seconds"] > 0 and details["test_images_per_second"] > 0
    assert len(column(folder, "file")) == 6
    config = OmegaConf.load(folder / "config.yaml")
    assert (config.data.image_size, config.data.mask.min_side) == (32, 0.3125)
    for name in ("images/test.png", "train.log", ".hydra/overrides.yaml", "table.md"):
        assert (folder / name).is_file(), name
    assert not (folder / "checkpoints").exists()


def test_an_evaluation_does_not_inherit_how_an_experiment_trained(command, tmp_path: Path) -> None:
    tiny = ["data.counts=[16,4,4]", "data.image_size=16", "data.batch_size=8", "model.width=4"]
    fast = ["debug=fast", "callbacks.progress=null", "hydra.run.dir=quick"]
    command("train", "experiment=quickstart", "against=[]", *tiny, *fast)
    command("evaluate", "run=quick", "callbacks.progress=null", "hydra.run.dir=out")
    config = OmegaConf.load(tmp_path / "out/config.yaml")
    assert config["trainer"]["precision"] == "32-true" and config["against"] == []
    assert config["trainer"]["accelerator"] == "auto"
    assert config["data"]["image_size"] == 16


@pytest.mark.slow
def test_several_evaluations_of_a_run_from_one_command(
    command, tmp_path: Path, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = ["-m", f"run={trained}", "callbacks.progress=null"]
    several = tmp_path / "outputs/sweeps/evaluate" / "_".join(trained.absolute().parts[-2:])
    with pytest.raises(SystemExit) as stopped:  # the run has no checkpoint of such a stage
        command("evaluate", *typed, "mask=half", "checkpoint=pretraining,best")
    assert stopped.value.code == 1
    done, failed = (several / f"checkpoint={name},mask=half" for name in ("best", "pretraining"))
    assert metrics(done)["mask"].startswith("Half(")
    first = capfd.readouterr()
    assert f"1 of 2: {failed.name}" in first.err + first.out
    assert f"2 of 2: {done.name}; about 0:00:" in first.err + first.out
    assert "no pretraining.ckpt" in (failed / "failed.txt").read_text()

    command("evaluate", *typed, "mask=half,expand", "checkpoint=best")
    second = capfd.readouterr()
    assert f"{done.name} is already finished" in second.err + second.out
    table = [line for line in second.out.splitlines() if line.startswith("│ checkpoint=")]
    names = [line.split("│")[1].strip() for line in table]
    assert names == ["checkpoint=best,mask=half", "checkpoint=best,mask=expand"]
    assert [line.split("│")[3].strip() for line in table] == ["skipped", "finished"]
    assert metrics(several / names[1])["mask"].startswith("Expand(")

    # Values are checked in all jobs before the first.
    with pytest.raises(SystemExit) as stopped:
        command("evaluate", *typed, "mask=box_10,files")
    assert stopped.value.code == 2 and "mask.path is missing" in capfd.readouterr().err
    assert not (several / "mask=box_10").exists()


def test_what_an_evaluation_is_named_by() -> None:
    assert run_name("outputs/glcic/2026", "x") == "glcic_2026"
    assert run_name(None, "telea") == "telea"
    typed = ["model=telea", "mask=half", "+attributes.smiling=1", "data.root=/a/b", "logger=wandb"]
    assert asked(typed, ["model"]) == "attributes.smiling=1,data.root=.a.b,mask=half"
    assert asked(["model=telea"], ["model"]) == "as_trained"
    long, other = (asked([f"data.root={'x' * 300}{i}"], []) for i in (1, 2))
    assert len(long) == 120 and long != other


def test_an_evaluation_of_older_weights_is_done_again(trained: Path, tmp_path: Path) -> None:
    config = OmegaConf.create({"run": str(trained), "checkpoint": "best"})
    assert not out_of_date(config, tmp_path)
    (tmp_path / "metrics.json").write_text('{"method": "glcic"}')
    assert not out_of_date(config, tmp_path)
    os.utime(tmp_path / "metrics.json", (0, 0))
    assert out_of_date(config, tmp_path)
    assert not out_of_date(OmegaConf.create({"run": None}), tmp_path)


def test_sigterm_stops_a_command_in_the_midst_of_a_batch(
    command, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal came too late")

    monkeypatch.setattr(GLCIC, "predict", predict)
    for name, colour in {"photo.png": "red", "mask.png": "black"}.items():
        image = Image.new("RGB", (40, 40), colour)
        image.paste("white", (10, 10, 20, 20))
        image.save(tmp_path / name)
    before = signal.getsignal(signal.SIGTERM)
    files = ["input=photo.png", "masks=mask.png"]
    for typed in (["evaluate"], ["predict", *files]):
        with pytest.raises(SystemExit) as stopped:
            command(*typed, f"run={trained}", "hydra.run.dir=out")
        assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert "type the same command to start again" in (tmp_path / "out/evaluate.log").read_text()
    assert not (tmp_path / "out/metrics.json").exists()
