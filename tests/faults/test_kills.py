"""kill -9 at random moments, with the folder for temporary files on another file system."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from same_runs import assert_same_run
from small_models import small

KILLS = int(os.environ.get("KILLS", "1000"))  # of the process that saves
TRAININGS = int(os.environ.get("KILLED_TRAININGS", "24"))  # kills of whole trainings


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment whose temporary files lie on another file system than the test's folder."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system in /dev/shm, which is not here")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield {**os.environ, "TMPDIR": folder, "OMP_NUM_THREADS": "1"}
        large = [p for p in Path(folder).rglob("*") if p.is_file() and p.stat().st_size > 100_000]
        assert not large, "copies of checkpoints were left behind"


def test_no_kill_destroys_a_checkpoint(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    rng, saver, kills, newest = random.Random(0), Path(__file__).with_name("saver.py"), 0, -1
    while kills < KILLS:
        # Importing torch takes seconds, so one process forks a child for each of its kills.
        batch = min(100, KILLS - kills)
        pauses = [rng.uniform(0.01, 0.12) for _ in range(batch)]
        typed = [sys.executable, "-c", FORKS, str(saver), str(tmp_path), json.dumps(pauses)]
        with subprocess.Popen(typed, env=elsewhere, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                saved = int(line)
                state = torch.load(tmp_path / "last.ckpt", weights_only=True)
                number = state["number"]
                assert number >= saved, f"after kill {kills}: {number} of {saved}"
                assert (state["state_dict"]["weight"] == number).all()
                assert json.loads((tmp_path / "metrics.json").read_text())["number"] <= number
                kills, newest = kills + 1, max(newest, number)
                (tmp_path / "go").touch()
        assert process.returncode == 0
    assert kills == KILLS and newest > 0


# Runs the saver as a child, kills it, prints the last number that it had saved, and waits.
FORKS = """
import json, os, runpy, signal, sys, time
from pathlib import Path
import torch, inpainting.trainer.checkpoint_io
saver, folder, pauses = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
torch.set_num_threads(1)
for pause in pauses:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        sys.argv = [saver, str(folder)]
        runpy.run_path(saver, run_name="__main__")
    os.close(writing)
    saved = os.read(reading, 64)  # the first checkpoint is there
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 65536):
        saved += more
    os.close(reading)
    (folder / "go").unlink(missing_ok=True)
    whole = saved.decode().rpartition(chr(10))[0]
    print(whole.split()[-1], flush=True)
    while not (folder / "go").exists():
        time.sleep(0.002)
"""


def test_a_training_that_is_killed_again_and_again_ends_as_one_that_is_not(
    command, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    settings = [*small("glcic"), "trainer.max_epochs=6", "callbacks.last.every_batches=5"]
    command("train", *settings, "hydra.run.dir=whole")
    rng, run, kills = random.Random(1), tmp_path / "run", 0
    while kills < TRAININGS:
        again = (run / "config.yaml").is_file()
        typed = ["resume=run"] if again else [*settings, "hydra.run.dir=run"]
        with open(tmp_path / "log", "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "inpainting.train", *typed],
                cwd=tmp_path,
                env=elsewhere,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        began, last = time.monotonic(), run / "checkpoints/last.ckpt"
        written = last.stat().st_mtime_ns if last.is_file() else 0
        while process.poll() is None:  # until the training is under way
            if last.is_file() and last.stat().st_mtime_ns != written:
                break
            assert time.monotonic() - began < 300
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        code = process.wait()
        assert code in (0, -signal.SIGKILL), (tmp_path / "log").read_text()[-3000:]
        kills += 1
        if code == 0:
            break
    if not (run / "metrics.json").is_file():
        command("train", "resume=run")
    assert_same_run(tmp_path / "whole", run)
