"""One file stands for a run: the same fills, everywhere that a run is typed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import small, typed_in
from PIL import Image
from safetensors.torch import load_file, save_file

import inpainting
from inpainting.errors import InputError
from inpainting.filling.one_pass import OnePass
from inpainting.runs.exported import Exported


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with typed_in(folder) as run:
        run("export", f"run={trained}", "out=model.safetensors")
    return folder / "model.safetensors"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose tokenizer lies beside its checkpoint."""
    folder = tmp_path_factory.mktemp("tokens")
    with typed_in(folder) as run:
        run("train", *small("token_bert"), "trainer.max_epochs=1", "hydra.run.dir=run")
    return folder / "run"


IMAGE = np.random.default_rng(3).integers(0, 256, (50, 40, 3), dtype=np.uint8)
HOLE = np.zeros((50, 40), bool)
HOLE[20:30, 15:29] = True


def test_it_fills_as_its_run_and_lacks_what_only_trains(exported: Path, trained: Path) -> None:
    fills = [inpainting.load(name, device="cpu").fill(IMAGE, HOLE) for name in (exported, trained)]
    np.testing.assert_array_equal(*fills)
    names = set(load_file(exported))
    assert names and not any("discriminator" in name for name in names)


def test_averaged_weights_that_fill_come_along(command, tmp_path: Path) -> None:
    averaged = [*small("glcic"), "model.ema_decay=0.5", "trainer.max_epochs=1"]
    command("train", *averaged, "hydra.run.dir=run")
    command("export", "run=run", "out=model.safetensors")
    names = (tmp_path / "model.safetensors", tmp_path / "run")
    np.testing.assert_array_equal(
        *(inpainting.load(name, device="cpu").fill(IMAGE, HOLE) for name in names)
    )


def test_equal_runs_give_equal_bytes_and_a_copy_of_a_copy_too(
    command, exported: Path, trained: Path, tmp_path: Path
) -> None:
    command("export", f"run={trained}", "out=again.safetensors")
    command("export", f"run={exported}", "out=copy.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == exported.read_bytes()
    assert (tmp_path / "copy.safetensors").read_bytes() == exported.read_bytes()


def test_the_metadata_name_no_folder_of_this_machine(exported: Path, trained: Path) -> None:
    run = Exported.open(exported)
    assert str(run.config.name) == "glcic" and run.choice("data") == "photos"
    assert "data.image_size=32" in run.overrides
    assert not any(text.startswith(("trainer", "hydra", "paths")) for text in run.overrides)
    assert str(trained.parent).encode() not in exported.read_bytes()


@pytest.mark.slow
def test_a_frozen_tokenizer_and_halved_weights_come_along(
    command, tokens: Path, tmp_path: Path
) -> None:
    command("export", f"run={tokens}", "out=whole.safetensors")
    command("export", f"run={tokens}", "out=half.safetensors", "half=true")
    run, whole, half = (
        inpainting.load(name, device="cpu").fill(IMAGE, HOLE, seed=1)
        for name in (tokens, "whole.safetensors", "half.safetensors")
    )
    np.testing.assert_array_equal(whole, run)
    assert np.abs(half.astype(int) - run)[HOLE].mean() < 25  # a token may flip; the rest is near
    sizes = [Path(f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]


def test_it_is_measured_and_compared_as_its_run(
    command, exported: Path, trained: Path, tmp_path: Path
) -> None:
    typed = ["trainer=cpu", "callbacks.progress=null", "callbacks.grids=null"]
    command("evaluate", f"run={exported}", f"against=[{trained}]", "hydra.run.dir=of_file", *typed)
    found = json.loads((tmp_path / "of_file" / "metrics.json").read_text())
    (against,) = (tmp_path / "of_file").rglob("*/metrics.json")
    of_run = json.loads(against.read_text())
    assert found["psnr_hole"] == of_run["psnr_hole"] and found["mask_hash"] == of_run["mask_hash"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["out=a.safetensors"], "run is missing"),
        (["run=RUN"], "out is missing"),
        (["run=RUN", "out=a.ckpt"], "type a name that ends in .safetensors, .onnx, .pt2"),
        (["run=RUN", "out=nowhere/a.safetensors"], "there is no folder nowhere"),
        (["run=RUN", "out=a.onnx", "half=true"], "half=true"),
        (["run=RUN", "out=a.safetensors", "colour=1"], "colour=1: no such key"),
        (["RUN", "out=a.safetensors"], "type KEY=VALUE"),
        (["run=there.safetensors", "out=a.safetensors"], "no such file"),
        (["run=RUN", "out=kept.safetensors"], "exists already: type overwrite=true"),
    ],
)
def test_what_cannot_be_exported_is_named(
    failure, tmp_path: Path, trained: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "kept.safetensors").write_bytes(b"mine")
    assert sentence in failure("export", *(t.replace("RUN", str(trained)) for t in arguments))
    assert (tmp_path / "kept.safetensors").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.safetensors"]


def test_damaged_and_foreign_files_are_refused_in_a_sentence(
    exported: Path, tmp_path: Path
) -> None:
    content = exported.read_bytes()
    for name, damaged in {"cut": content[:-100], "empty": b"", "text": b"hello" * 99}.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            inpainting.load(path)
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="without a configuration"):
        inpainting.load(tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="holds one set of weights"):
        inpainting.load(exported, checkpoint="last")


def test_one_pass_is_what_completes(trained: Path) -> None:
    method = inpainting.load(trained, device="cpu").method
    image, mask = torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[..., 5:15, 10:20] = 1
    torch.testing.assert_close(OnePass(method)(image, mask), method.complete(image, mask)[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_other_programs_fill_alike(command, trained: Path, tmp_path: Path, suffix: str) -> None:
    command("export", f"run={trained}", f"out=model.{suffix}")
    method = inpainting.load(trained, device="cpu").method
    image, mask = torch.rand(3, 3, 32, 32), torch.zeros(3, 1, 32, 32)
    mask[..., 5:15, 10:20] = 1
    if suffix == "onnx":
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(tmp_path / "model.onnx")
        (filled,) = session.run(["completion"], {"image": image.numpy(), "mask": mask.numpy()})
        filled = torch.from_numpy(filled)
    else:
        filled = torch.export.load(tmp_path / "model.pt2").module()(image, mask)
    torch.testing.assert_close(filled, method.complete(image, mask)[:, 0], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_method_of_many_passes_is_no_graph(failure, tokens: Path) -> None:
    sentence = failure("export", f"run={tokens}", "out=model.onnx")
    assert "out=FILE.safetensors" in sentence


def test_an_image_by_pil_keeps_its_profile(exported: Path) -> None:
    image = Image.fromarray(IMAGE)
    image.info["icc_profile"] = b"profile"
    filled = inpainting.load(exported, device="cpu").fill(image, HOLE)
    assert filled.info["icc_profile"] == b"profile" and filled.mode == "RGB"
