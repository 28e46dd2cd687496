"""A training under SLURM, as far as signals and a stand-in for `scontrol` go."""

import os
import signal
from pathlib import Path

import pytest
from interrupting import interrupted, send
from same_runs import assert_same_run
from small_models import small

# The test is one process; the yaml is for several on GPUs.
ONE = [
    "trainer.devices=1",
    "trainer.precision=32-true",
    "trainer.strategy=auto",
    "trainer.sync_batchnorm=false",
]


def test_a_job_saves_is_queued_again_and_goes_on(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*small("conv_ae"), "trainer=slurm", "trainer.accelerator=cpu", *ONE]
    command("train", *small("conv_ae"), "name=whole", "hydra.run.dir=whole")

    (tmp_path / "bin").mkdir()
    scontrol = tmp_path / "bin/scontrol"
    scontrol.write_text(f"#!/bin/sh\necho $@ >> {tmp_path}/asked\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with interrupted("batch", 11, send(signal.SIGUSR1)) as ended:
        command("train", *settings)
    assert ended.value.code == 128 + signal.SIGUSR1
    assert (tmp_path / "asked").read_text() == "requeue 17\n"

    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with interrupted("batch", 2, send(signal.SIGTERM)):  # preempted
        command("train", *settings)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    command("train", *settings)
    assert_same_run(tmp_path / "outputs/conv_ae/slurm_17", tmp_path / "whole")
