"""The same command on two processes, in mixed precision, compiled."""

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from conftest import NARROW, SMALL, small
from same_runs import assert_same_run

TWO = ["trainer=ddp_cpu", "data.batch_size=4", "trainer.log_every_n_steps=1"]

# What rank 1 ends up with, written by a callback that this test adds on the command line; and a
# metric that forgets the images of the other processes.
PROBE = """
import os, signal
from pathlib import Path
import torch
from lightning import Callback
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import Column

class Apart(SetMetric):
    columns = (Column(name="apart", heading="apart", digits=2, direction="min", scope="set",
                      truth=None, brief=False),)
    def reset(self, device):
        self.total = 0.0
    def update(self, completed):
        self.total += float(completed.image.sum())
    def compute(self):
        return {"apart": self.total}

class SaveWeights(Callback):
    def __init__(self, folder):
        self.folder = Path(folder)
    def on_train_end(self, trainer, module):
        torch.save(module.state_dict(), self.folder / f"rank{trainer.global_rank}.pt")

class Stops(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_rank == 1 and module.batches_seen == 10:
            os.kill(os.getpid(), signal.SIGTERM)
"""


# Runs commands one after another, as one of two processes that an outside launcher has started:
# each of them imports the libraries once for all commands.
DRIVER = """
import shlex, sys
from hydra.core.global_hydra import GlobalHydra
for line in sys.stdin.read().splitlines():
    expected, name, *arguments = shlex.split(line)
    GlobalHydra.instance().clear()
    sys.argv = [f"inpainting.{name}", *arguments]
    try:
        __import__(f"inpainting.{name}", fromlist=["main"]).main()
    except RuntimeError as error:
        assert expected != "ok" and expected in str(error), error
    except SystemExit as ended:
        assert expected == "stopped", ended
    else:
        assert expected == "ok", f"{line}: raised no error"
"""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def run_on_two(folder: Path, lines: list[list[str]]) -> None:
    """Run commands on two processes that know each other, as torchrun or SLURM start them."""
    (folder / "driver.py").write_text(DRIVER)
    shared = {"OMP_NUM_THREADS": "1", "NODE_RANK": "0", "HYDRA_FULL_ERROR": "1"}
    shared["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    shared |= {"INPAINTING_CACHE": str(folder / "cache")}
    typed = "\n".join(shlex.join(command) for command in lines)
    (folder / "commands").write_text(typed)
    ranks = []
    for rank in (0, 1):
        with open(folder / "commands") as commands, open(folder / f"rank{rank}.log", "w") as log:
            ranks.append(
                subprocess.Popen(
                    [sys.executable, "driver.py"],
                    cwd=folder,
                    env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    stdin=commands,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    codes = [process.wait(600) for process in ranks]
    shown = [(folder / f"rank{rank}.log").read_text()[-4000:] for rank in (0, 1)]
    assert codes == [0, 0], "\n".join(shown)


def numbers(path: Path) -> dict:
    content = json.loads((path / "metrics.json").read_text())
    measured = {k: v for k, v in content.items() if v is not None}  # None without any hole
    return {k: v for k, v in measured.items() if k.startswith(("psnr", "ssim", "l1", "loss", "n"))}


# 11 test images on two processes: one of them gets a repeat, which must not count.
ELEVEN = ["data.patches=[64,12,11]", "data.eval_batch_size=3"]


FAST = ("glcic", "conv_ae")  # several optimisers, and one; make slow tries the others too


def trained_and_measured(models: Iterable[str]) -> list[list[str]]:
    """Commands that train each model and evaluate it."""
    commands = []
    for model in models:
        probe = f"+callbacks.probe={{_target_:probe.SaveWeights,folder:{model}}}"
        run, measured = f"hydra.run.dir={model}", f"hydra.run.dir={model}/by_two"
        commands.append(["ok", "train", *small(model), *TWO, run, "trainer.max_epochs=1", probe])
        evaluate = ["evaluate", f"run={model}", *ELEVEN, "trust=true"]  # the probe is our own
        commands.append(["ok", *evaluate, "trainer=ddp_cpu", measured])
    return commands


@pytest.fixture(scope="module")
def all_by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model that trains, but for the fast ones, trained and evaluated on two processes."""
    folder = tmp_path_factory.mktemp("all")
    (folder / "probe.py").write_text(PROBE)
    run_on_two(folder, trained_and_measured(model for model in SMALL if model not in FAST))
    return folder


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fast models, trained and evaluated on two processes; what must not give a number."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "probe.py").write_text(PROBE)
    commands = trained_and_measured(FAST)
    # A metric of the set that covers one process only must not give a number.
    wrong = [f"run={FAST[0]}", *ELEVEN, "trust=true", "trainer=ddp_cpu"]
    wrong.append("+metrics.apart._target_=probe.Apart")
    commands.append(["Apart computed another apart", "evaluate", *wrong, "hydra.run.dir=wrong"])
    # A signal that only one process gets, within the second of two epochs of eight batches.
    whole = [*small("glcic"), *TWO, "data.num_workers=1"]
    stops = "+callbacks.stops._target_=probe.Stops"
    commands.append(["ok", "train", *whole, "hydra.run.dir=whole"])
    commands.append(["stopped", "train", *whole, stops, "hydra.run.dir=parts"])
    commands.append(["ok", "train", "resume=parts", "callbacks.stops=null", "trust=true"])
    run_on_two(folder, commands)
    assert not (folder / "wrong/metrics.json").exists()
    return folder


LOSSES = {
    "glcic": ("loss_completion", "loss_d", "loss_g", "loss_g_adversarial"),
    "cvae_gan": ("reconstruction", "prior", "loss_d", "margin", "fooling"),
    "dvae": ("loss", "reconstruction", "divergence"),
}
# Sampling goes through the network several times, and sums of another order add up.
TOLERANCE = {"ddpm": 1e-3}


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=() if m in FAST else pytest.mark.slow) for m in SMALL]
)
def test_two_processes_train_alike_and_measure_as_one_does(
    request: pytest.FixtureRequest, command, tmp_path: Path, model: str
) -> None:
    by_two: Path = request.getfixturevalue("by_two" if model in FAST else "all_by_two")
    ranks = [torch.load(by_two / model / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, value in ranks[0].items():
        assert torch.equal(value, ranks[1][name]), name
    header = (by_two / model / "metrics.csv").read_text().splitlines()[0]
    for loss in LOSSES.get(model, ("loss",)):
        assert f"train/{loss}" in header

    alone = ["trainer=cpu", "trust=true", "hydra.run.dir=by_one"]
    command("evaluate", f"run={by_two / model}", *ELEVEN, *alone)
    one, two = numbers(tmp_path / "by_one"), numbers(by_two / model / "by_two")
    assert one["n"] == two["n"] == 11
    assert one == pytest.approx(two, rel=TOLERANCE.get(model, 1e-6))
    assert (by_two / model / "by_two/per_image.csv").read_text().count("\n") == 12


def test_two_processes_resume_within_an_epoch(by_two: Path) -> None:
    log = (by_two / "parts/train.log").read_text()
    assert "stopped; batch 3 of 8 of epoch 2 is saved" in log
    assert_same_run(by_two / "whole", by_two / "parts")


@pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=() if m in ("glcic", "ddpm") else pytest.mark.slow) for m in SMALL],
)
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
