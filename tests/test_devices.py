"""The same command on two processes, in mixed precision, compiled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import NARROW, SMALL, small

TWO = ["trainer=ddp_cpu", "data.batch_size=4", "trainer.log_every_n_steps=1"]

# What rank 1 ends up with, written by a callback that this test adds on the command line.
PROBE = """
from pathlib import Path
import torch
from lightning import Callback

class SaveWeights(Callback):
    def __init__(self, folder):
        self.folder = Path(folder)
    def on_train_end(self, trainer, module):
        torch.save(module.state_dict(), self.folder / f"rank{trainer.global_rank}.pt")
"""


def run(folder: Path, name: str, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", f"inpainting.{name}", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def numbers(path: Path) -> dict:
    content = json.loads((path / "metrics.json").read_text())
    return {k: v for k, v in content.items() if k.startswith(("psnr", "ssim", "l1", "loss", "n"))}


LOSSES = {"glcic": ("loss_completion", "loss_d", "loss_g", "loss_g_adversarial")}
# Sampling goes through the network several times, and sums of another order add up.
TOLERANCE = {"ddpm": 1e-3}


# What ConvAE would show, the others do: one takes turns of optimisers, the other draws noise.
MODELS = [pytest.param(m, marks=[pytest.mark.slow] if m == "conv_ae" else []) for m in SMALL]


@pytest.mark.parametrize("model", MODELS)
def test_two_processes_train_alike_and_measure_as_one_does(tmp_path: Path, model: str) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    run(
        tmp_path,
        "train",
        *small(model),
        *TWO,
        "hydra.run.dir=two",
        "trainer.max_epochs=1",
        "+callbacks.probe={_target_:probe.SaveWeights,folder:.}",
    )
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, value in ranks[0].items():
        assert torch.equal(value, ranks[1][name]), name
    header = (tmp_path / "two/metrics.csv").read_text().splitlines()[0]
    for loss in LOSSES.get(model, ("loss",)):
        assert f"train/{loss}" in header

    # 11 test images on two processes: one of them gets a repeat, which must not count
    changed = ["run=two", "data.patches=[64,12,11]", "data.eval_batch_size=3"]
    run(tmp_path, "evaluate", *changed, "trainer=cpu", "hydra.run.dir=by_one")
    run(tmp_path, "evaluate", *changed, "trainer=ddp_cpu", "hydra.run.dir=by_two")
    one, two = numbers(tmp_path / "by_one"), numbers(tmp_path / "by_two")
    assert one["n"] == two["n"] == 11
    assert one == pytest.approx(two, rel=TOLERANCE.get(model, 1e-6))
    assert (tmp_path / "by_two/per_image.csv").read_text().count("\n") == 12


@pytest.mark.parametrize("model", SMALL)
def test_bf16_trains_and_its_checkpoint_is_float32(command, tmp_path: Path, model: str) -> None:
    command("train", *small(model), "trainer.precision=bf16-mixed", "hydra.run.dir=half")
    state = torch.load(tmp_path / "half/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert all(value.dtype in (torch.float32, torch.int64) for value in state.values())
    assert json.loads((tmp_path / "half/metrics.json").read_text())["precision"] == "bf16-mixed"


def test_compiling_keeps_the_names_of_the_parameters(composed) -> None:
    from inpainting.tasks.build import build_method

    names = [
        list(build_method(config.model, config).state_dict())
        for config in (composed(*NARROW, f"compile={switch}") for switch in (True, False))
    ]
    assert names[0] == names[1]


@pytest.mark.slow
def test_what_was_trained_compiled_loads_uncompiled(command, tmp_path: Path) -> None:
    command("train", *NARROW, "compile=true", "trainer.max_epochs=1", "hydra.run.dir=fast")
    command("evaluate", "run=fast", "hydra.run.dir=plain")
    compiled, plain = numbers(tmp_path / "fast"), numbers(tmp_path / "plain")
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_memory_format_is_a_switch(command, composed) -> None:
    from inpainting.tasks.build import build_method

    for switch in (True, False):
        config = composed(*NARROW, f"channels_last={switch}")
        weight = build_method(config.model, config).generator.layers[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == switch
