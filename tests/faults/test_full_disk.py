"""A disk that is full at any moment of a training, for real: a small file system of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import typed_in
from same_runs import assert_same_run
from small_models import small

pytestmark = pytest.mark.slow

# From too small for a log to too small for the pictures alone.
KILOBYTES = [4, 16, 40, 64, 100, 200, 400, 700, 1000, 1200, 1350, 1500, 1650, 1800, 1900, 2000]
TRAINING = [*small("conv_ae"), "callbacks.last.every_batches=1"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of a file system of 4 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("only root can make a file system of a given size, and not in every container")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that had room."""
    folder = tmp_path_factory.mktemp("whole")
    with typed_in(folder) as run:
        run("train", *TRAINING, "hydra.run.dir=run")
    return folder / "run"


@pytest.mark.parametrize("size", KILOBYTES)
def test_a_full_disk_ends_in_one_sentence_and_costs_what_was_not_saved(
    command, capfd, tmp_path: Path, disk: Path, whole: Path, size: int
) -> None:
    room = ["mount", "-o", f"remount,size={size}k", str(disk)]
    subprocess.run(room, check=True)
    run = disk / "run"
    with pytest.raises(SystemExit) as stopped:
        command("train", *TRAINING, f"hydra.run.dir={run}")
    said = capfd.readouterr().err
    assert stopped.value.code == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "No space left on device" in errors[0], said
    assert "Traceback" not in said, said
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    again = (run / "config.yaml").is_file()
    command("train", *([f"resume={run}"] if again else [*TRAINING, f"hydra.run.dir={run}"]))
    assert_same_run(run, whole)
