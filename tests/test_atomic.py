"""What a later command reads is written whole or not at all."""

import errno
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer

from inpainting.atomic import replacing, write_checkpoint, write_text
from inpainting.runs.log_file import LogFile
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO


def test_an_error_while_writing_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_text(path, "first")
    with pytest.raises(OSError, match="full"), replacing(path) as file:
        file.write("second, but only half")
        raise OSError("the disk is full")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("count", [1, 10_000, 1_000_000])
def test_a_full_disk_is_named_as_such_whatever_torch_makes_of_it(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "last.ckpt"
    (tmp_path / ".last.ckpt.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"last\.ckpt") as raised:
        write_checkpoint(path, {"weight": torch.zeros(count)})
    assert raised.value.errno == errno.ENOSPC and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_silent_and_other_faults_are_not(capsys) -> None:
    log = logging.Logger("full")
    log.addHandler(LogFile("/dev/full"))
    log.info("a line")
    assert capsys.readouterr().err == ""
    log.info("%d images", "many")
    assert "Traceback" in capsys.readouterr().err


def test_a_checkpoint_never_passes_through_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another file system, what comes from there is copied over the earlier checkpoint."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "does not exist"))
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, tmp_path / "run" / "last.ckpt")
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True) == {"epoch": 1}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last.ckpt"]


def test_the_trainer_saves_that_way(composed, tmp_path: Path, monkeypatch) -> None:
    from inpainting.tasks.build import build_trainer

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "does not exist"))
    trainer: Trainer = build_trainer(composed("trainer=cpu", "callbacks=none", "logger=none"))
    trainer.strategy.connect(LightningModule())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 0


WRITER = """
import sys, torch
from inpainting.runs.log_file import LogFile
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO
for i in range(10**9):
    AtomicCheckpointIO().save_checkpoint({"i": i, "x": torch.zeros(10**6)}, sys.argv[1])
"""


@pytest.mark.slow
def test_kills_while_saving_leave_a_checkpoint_that_loads(tmp_path: Path) -> None:
    """`kill -9` at random moments of a process that does nothing but save."""
    other = Path("/dev/shm")
    environment = {**os.environ, "TMPDIR": str(other if other.is_dir() else tmp_path)}
    path, seen = tmp_path / "last.ckpt", -1
    for number in range(40):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], env=environment)
        until = time.monotonic() + 60
        changed = path.stat().st_mtime_ns if path.exists() else 0
        while not path.exists() or path.stat().st_mtime_ns == changed:
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(0.001 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert torch.load(path, weights_only=True)["i"] >= 0
        seen += 1
    assert seen == 39


class _Interrupting:
    """Is stopped by a signal when it is pickled, as a tensor of a checkpoint might be."""

    def __init__(self, stopped: type[BaseException]):
        self.stopped = stopped

    def __reduce__(self) -> tuple:
        raise self.stopped


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, SystemExit])  # Ctrl-C and SIGTERM
def test_a_signal_within_a_checkpoint_is_that_signal_and_keeps_the_old_one(
    tmp_path: Path, stopped: type[BaseException]
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    with pytest.raises(stopped):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2, "x": _Interrupting(stopped)}, path)
    assert torch.load(path) == {"epoch": 1}

    def interrupted(checkpoint: dict, file: object) -> None:
        try:
            raise stopped
        finally:
            raise RuntimeError("unexpected pos 105792 vs 105688")  # as torch.save ends then

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", interrupted)
        with pytest.raises(stopped):
            AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path) == {"epoch": 1}
