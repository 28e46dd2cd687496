"""Bad input ends in one sentence that names the key or file and what to type; nothing changes."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NARROW, small
from filelock import FileLock
from PIL import Image

from inpainting.errors import InputError
from inpainting.runs.typed import check_typed
from inpainting.trainer.checks import check_devices

SHORT = [*NARROW, "trainer.max_epochs=1"]
FOLDER = [text for text in SHORT if not text.startswith(("data=", "data.patches="))]
NO_GPU = not torch.cuda.is_available()


def contents(folder: Path) -> dict[Path, str]:
    """What is in every file but the lock."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def save(path: Path, width: int, height: int, value: int = 0, hole: int | None = None) -> None:
    """An image or mask of one value, with a small rectangle of another."""
    pixels = np.full((height, width), value, np.uint8)
    if hole is not None:
        pixels[5:9, 5:9] = hole
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A finished run that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        # data
        ([*FOLDER, "data=folder"], ["data.root=PATH"]),
        ([*FOLDER, "data=folder", "data.root=nowhere"], ["nowhere", "data.root=PATH"]),
        ([*FOLDER, "data=folder", "data.root=empty"], ["empty", "data.root=PATH"]),
        ([*SHORT, "data.batch_size=65"], ["data.batch_size=65", "data.batch_size=64"]),
        ([*SHORT, "data.batch_size=0"], ["data.batch_size=0", "1 or more"]),
        ([*SHORT, "data.channels=2"], ["data.channels=2", "1 (grey) or 3 (RGB)"]),
        # sizes
        ([*SHORT, "mask.max_side=80", "mask.min_side=70"], ["mask.min_side=70", "32"]),
        ([*SHORT, "data.image_size=8"], ["11 px", "data.image_size"]),
        ([*SHORT, "data.image_size=30"], ["multiple of 4", "data.image_size=32"]),
        ([*small("ddpm"), "model.fixed_size=28"], ["data.image_size=32", "data.image_size=28"]),
        # holes
        ([*SHORT, "mask=files"], ["mask.path"]),
        ([*SHORT, "mask=files", "mask.path=nowhere"], ["nowhere", "give the path"]),
        ([*SHORT, "mask=files", "mask.path=empty"], ["mask.path=empty"]),
        # trainer
        ([*SHORT, "trainer.limit_train_batches=0"], ["trainer.limit_train_batches=0", "1 or more"]),
        ([*SHORT, "trainer.limit_val_batches=0"], ["trainer.limit_val_batches=0", "1 or more"]),
        ([*SHORT, "trainer.limit_test_batches=0"], ["trainer.limit_test_batches=0", "1 or more"]),
        ([*SHORT, "trainer.limit_train_batches=0.001"], ["limit_train_batches="]),
        ([*SHORT, "trainer.limit_val_batches=0.001"], ["trainer.limit_val_batches=1"]),
        ([*SHORT, "trainer.limit_test_batches=0.001"], ["trainer.limit_test_batches=1"]),
        ([*SHORT, "trainer.precision=bf16-mixt"], ["bf16-mixt", "bf16-mixed"]),
        ([*SHORT, "trainer.precision=bf16-true"], ["bf16-true", "bf16-mixed"]),
        ([*SHORT, "trainer.devices=two"], ["trainer.devices=two", "trainer.devices=2"]),
        ([*SHORT, "trainer.accelerator=gpus"], ["accelerator=gpus", "auto or cpu or gpu"]),
        ([*SHORT, "trainer.strategy=dpp"], ["trainer.strategy=dpp", "type auto"]),
        ([*SHORT, "trainer.max_epochs=0"], ["trainer.max_epochs=0", "1 or more"]),
        ([*SHORT, "trainer.max_epochs=-1"], ["trainer.max_epochs=-1", "1 or more"]),
        # other runs and methods
        (
            ["model=telea", "data=photos", "model.algorithm=foo"],
            ["model.algorithm=foo", "telea or"],
        ),
        ([*SHORT, "resume=nowhere"], ["resume=nowhere", "folder of a run"]),
        (["resume=empty"], ["resume=empty", "config.yaml"]),
        ([*SHORT, "init_from=nowhere"], ["init_from=nowhere", ".ckpt"]),
        ([*SHORT, "init_from=empty"], ["init_from=empty", "config.yaml"]),
        ([*SHORT, "against=[telea,mean_fil]"], ["against=mean_fil", "mean_fill"]),
        ([*SHORT, "against=[glcic]"], ["against=glcic", "needs training"]),
        ([*SHORT, "against=[telea,telea]"], ["against", "two are called telea"]),
    ],
    ids=lambda value: " ".join(text for text in value if text not in SHORT),
)
def test_a_training_that_cannot_be_is_refused_before_it_starts(
    failure, tmp_path: Path, typed: list[str], named: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    message = failure("train", *typed)
    assert all(part in message for part in named), message
    left = {path.name for path in tmp_path.rglob("*") if path.parent.name != ".hydra"}
    assert not left & {"config.yaml", "best.ckpt", "last.ckpt"}  # nothing that looks like a run


def test_a_corrected_command_may_use_the_folder_of_the_refused_one(
    command, failure, tmp_path: Path
) -> None:
    failure("train", *SHORT, "hydra.run.dir=mine", "data.batch_size=65")
    command("train", *SHORT, "hydra.run.dir=mine")
    assert (tmp_path / "mine" / "metrics.json").is_file()


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU here")
def test_a_gpu_that_is_not_there(failure) -> None:
    message = failure("train", *SHORT, "trainer=gpu", "trainer.precision=32-true")
    assert "trainer.accelerator=gpu" in message and "trainer=cpu" in message


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is a GPU of Apple's here")
def test_apples_gpu_that_is_not_there(composed) -> None:
    with pytest.raises(InputError, match=r"trainer.accelerator=mps: .* type trainer=cpu"):
        check_devices(composed("trainer=mps").trainer)


@pytest.mark.parametrize("devices", ["99", "[0,1,2]"])
def test_more_gpus_than_there_are(composed, monkeypatch, devices: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"trainer.devices=.*type trainer.devices=1"):
        check_devices(composed("trainer=gpu", f"trainer.devices={devices}").trainer)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.widht=8", "model.widht: there is no such key; did you mean model.width"),
        ("lerning_rate=1", "lerning_rate: there is no such key; --cfg job shows all keys"),
        ("model=glcik", "model=glcik: there is no such option; did you mean model=glcic?"),
        ("-m model=glcic,tela", "model=tela: there is no such option; did you mean model=telea?"),
        ("metrics=[labels,perceptul]", "did you mean metrics=perceptual?"),
        ("data=nature", "data=nature: there is no such option; type one of celeba, "),
        ("modle=glcic", "modle: there is no such key; did you mean model"),
    ],
)
def test_a_typing_error_is_told_with_what_is_meant(failure, typed: str, meant: str) -> None:
    assert meant in failure("train", *typed.split())


def test_what_hydra_alone_can_judge_is_left_to_it() -> None:
    left = [
        "+new.key=1",
        "~logger",
        "hydra.run.dir=x",
        "logger@second=csv",
        "tests.mine=[mask=half]",
    ]
    check_typed("train", [*left, "data.augment.zoom=2", "model=glcic", "model.phases.0=0.2"])
    check_typed("train", ["--config-dir=mine", "model=mine", "model.new=3"])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_damaged_checkpoint_is_named(failure, run: Path) -> None:
    for name in ("best", "last"):
        truncate(run / "checkpoints" / f"{name}.ckpt")
    for key, typed in (("resume", []), ("init_from", SHORT), ("run", [])):
        name = "last.ckpt" if key == "resume" else "best.ckpt"
        message = failure("evaluate" if key == "run" else "train", *typed, f"{key}={run}")
        assert name in message and message.startswith(f"error: {key}")
        (run / "checkpoints" / name).rename(run / "aside")
        message = failure("evaluate" if key == "run" else "train", *typed, f"{key}={run}")
        assert name in message and f"{key}={run}" in message
        (run / "aside").rename(run / "checkpoints" / name)


def test_weights_that_are_not_finite_are_refused(failure, run: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    next(iter(checkpoint["state_dict"].values()))[0] = torch.nan
    torch.save(checkpoint, path)
    message = failure("evaluate", "run=run")
    assert "best.ckpt are not finite" in message and "another checkpoint" in message


def test_weights_alone_cannot_be_resumed(failure, run: Path) -> None:
    shutil.copy(run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt")
    message = failure("train", "resume=run")
    assert "holds weights alone" in message and "init_from=" in message


def test_weights_of_another_network_are_refused(failure, run: Path) -> None:
    before = contents(run)
    message = failure("train", "init_from=run", *SHORT, "model.width=12")
    assert "another network" in message and "init_from" in message and len(message) < 500
    save(run.parent / "photo.png", 40, 40)
    save(run.parent / "hole.png", 40, 40, hole=255)
    predict = "predict run=run input=photo.png masks=hole.png"
    for typed in ("model.width=12", "model.dilations=[1,1,1,1]"):  # the second one would load
        for entry in ("train resume=run", "evaluate run=run", predict):
            message = failure(*entry.split(), typed)
            assert typed.split("=")[0] in message and "leave it out" in message, message
    assert contents(run) == before  # the refused resume spoiled nothing


@pytest.mark.parametrize(
    ("entry", "typed"),
    [
        ("train", SHORT),
        ("evaluate", ["model=telea"]),
        ("evaluate", ["run=run"]),
        ("predict", ["run=run"]),
    ],
    ids=["train", "evaluate", "evaluate run", "predict run"],
)
def test_a_folder_that_holds_a_run_is_left_alone(
    failure, run: Path, entry: str, typed: list[str]
) -> None:
    before = contents(run)
    message = failure(entry, *typed, "hydra.run.dir=run")
    assert "run already holds a run" in message and "another hydra.run.dir" in message
    assert contents(run) == before


def test_a_folder_that_another_process_writes_to_is_left_alone(
    failure, tmp_path: Path, run: Path
) -> None:
    (tmp_path / "new").mkdir()
    for folder, typed in ((run, ["resume=run"]), (tmp_path / "new", [*SHORT, "hydra.run.dir=new"])):
        before = contents(folder)
        with FileLock(folder / ".lock"):
            message = failure("train", *typed)
        assert folder.name in message and "another run is writing" in message
        assert contents(folder) == before


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ([], ["model=glcic", "run=FOLDER"]),
        (["run=nowhere"], ["run=nowhere", "folder of a run"]),
        (["run=empty"], ["run=empty", "config.yaml"]),
        (["run=run", "model=telea"], ["model=telea", "leave out"]),
        (["run=run", "data.channels=1"], ["data.channels=3"]),
        (["run=run", "against=[teleea]"], ["against=teleea", "telea"]),
        (["run=run", "checkpoint=middle"], ["middle.ckpt"]),
        (["run=run", "+model.widht=8"], ["model.widht", "no such key"]),
    ],
    ids=" ".join,
)
def test_an_evaluation_that_cannot_be_is_refused(
    failure, tmp_path: Path, run: Path, typed: list[str], named: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    message = failure("evaluate", *typed)
    assert all(part in message for part in named), message


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["masks=masks"], ["input is missing", "input=FILE_OR_FOLDER"]),
        (["input=photos"], ["masks is missing", "masks=FILE_OR_FOLDER"]),
        (["input=nowhere", "masks=masks"], ["input=nowhere"]),
        (["input=photos", "masks=nowhere"], ["masks=nowhere"]),
        (["input=empty", "masks=masks"], ["input=empty", "no image"]),
        (["input=photos", "masks=masks"], ["photos/b.png", "no mask", "masks"]),
        (["input=photos/b.png", "masks=small.png"], ["small.png is 20x10", "b.png is 40x30"]),
        (["input=photos/b.png", "masks=white.png"], ["white.png", "mask_hole=black"]),
        (["input=photos/b.png", "masks=hole.png", "mask_hole=grey"], ["white or black", "grey"]),
        (["input=photos/b.png", "masks=notes.txt"], ["notes.txt", "cannot be read"]),
        (["input=photos/b.png", "masks=broken.png"], ["broken.png", "cannot be read"]),
        (["input=broken.png", "masks=hole.png"], ["broken.png", "cannot be read"]),
    ],
    ids=" ".join,
)
def test_images_that_cannot_be_filled_are_refused(
    failure, tmp_path: Path, typed: list[str], named: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("photos/a.png", "photos/b.png"):
        save(tmp_path / name, 40, 30, 90)
    for name in ("masks/a.png", "hole.png"):
        save(tmp_path / name, 40, 30, hole=255)
    save(tmp_path / "small.png", 20, 10, hole=255)
    save(tmp_path / "white.png", 40, 30, 255)
    (tmp_path / "notes.txt").write_text("no image")
    save(tmp_path / "broken.png", 40, 30, hole=255)
    truncate(tmp_path / "broken.png")
    message = failure("predict", "model=telea", "trainer=cpu", *typed, "out=filled")
    assert all(part in message for part in named), message
    assert not (tmp_path / "filled").exists()


@pytest.mark.parametrize(
    ("model", "rate", "loss"),
    [
        ("glcic", "model.optimizer_completion.lr", "loss_completion"),
        ("conv_ae", "model.optimizer.lr", "loss"),
        ("ddpm", "model.optimizer.lr", "loss"),
    ],
)
def test_a_loss_that_is_not_finite_stops_the_training_and_saves_nothing_of_it(
    command, capsys, tmp_path: Path, model: str, rate: str, loss: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command("train", *small(model), f"{rate}=1e30", "hydra.run.dir=run")
    assert stopped.value.code != 0
    assert f"{loss} became NaN or infinite" in capsys.readouterr().err
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["state_dict"]
    assert all(value.isfinite().all() for value in last["state_dict"].values())
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_several_devices_need_a_strategy(failure) -> None:
    assert "trainer=ddp_cpu" in failure("train", *NARROW, "trainer.devices=2")


def test_a_metric_that_is_nan_cannot_choose_the_best(failure) -> None:
    message = failure("train", *NARROW, "mask=none")
    assert "val/psnr_hole is NaN" in message and "type monitor=val/loss" in message


def test_a_monitored_number_that_no_metric_ranks_is_named_before_the_training(failure) -> None:
    for wrong in ("val/psnr_whole", "val/spread"):  # misspelt; neither end of it is better
        message = failure("train", *NARROW, f"monitor={wrong}")
        assert f"monitor={wrong}" in message and "val/psnr_hole, " in message
    message = failure("train", *NARROW, "monitor=val/mine", "callbacks.best.mode=max")
    assert "validation reports no such metric" in message


def test_a_metric_that_only_the_test_measures_cannot_choose_the_best(failure) -> None:
    message = failure("train", *NARROW, "metrics=perceptual", "monitor=val/fid")
    assert "monitor=val/fid: no metric" in message
    assert "val/psnr_hole" in message and "val/kid" not in message
    # LPIPS is left out of validation where its weights are not installed.
    typed = ["metrics=perceptual", "monitor=val/lpips", "trainer.num_sanity_val_steps=1"]
    message = failure("train", *NARROW, *typed)
    assert "monitor=val/lpips: validation reports no such metric" in message
    assert not list(Path.cwd().rglob("last.ckpt"))


@pytest.mark.parametrize("setting", ["model.head=gap", "model.fill=median"])
def test_a_choice_that_there_is_not(failure, setting: str) -> None:
    assert setting.split("=")[0] in failure("train", *NARROW, setting)
