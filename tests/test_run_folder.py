"""A run's folder: whose it is, and how far its run has come."""

from pathlib import Path

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from inpainting.runs.fresh import FreshFolder
from inpainting.runs.status import failure_reason, status
from inpainting.sweeps.job import note_end
from inpainting.sweeps.table import print_jobs


def config(folder: Path, *typed: str):
    tree = {"hydra": {"run": {"dir": str(folder)}, "overrides": {"hydra": list(typed)}}}
    return OmegaConf.create(tree)


def test_the_folders_of_two_commands_never_meet(tmp_path: Path) -> None:
    folder = tmp_path / "glcic/2026-01-31_12-00-00"
    starting = [config(folder) for _ in range(3)]
    for each in starting:
        FreshFolder(number=True).on_run_start(each)
    names = [Path(each.hydra.run.dir).name for each in starting]
    assert names == [folder.name, f"{folder.name}_2", f"{folder.name}_3"]


def test_a_refused_command_writes_nothing(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(SystemExit) as refused:
        FreshFolder(number=True).on_run_start(config(folder, f"hydra.run.dir={folder}"))
    assert refused.value.code == 2
    assert "another run is writing to" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] in (["run", ".lock"], ["run"])


@pytest.mark.parametrize("torn", ["", "{", "{}", "[]", '{"method": "glc'])
def test_a_torn_metrics_json_is_none(tmp_path: Path, torn: str, capsys) -> None:
    (tmp_path / "metrics.json").write_text(torn)
    assert status(tmp_path) == "new"
    (tmp_path / "config.yaml").touch()
    assert status(tmp_path) == "interrupted"
    print_jobs([tmp_path], tmp_path, began=0.0)
    assert "interrupted" in capsys.readouterr().out
    (tmp_path / "metrics.json").write_text('{"method": "glcic"}')
    assert status(tmp_path) == "finished"


def test_what_is_finished_or_run_by_another_sweep_has_not_failed(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"):
        note_end(tmp_path, 2)  # refused, because the other one is at it
    assert not (tmp_path / "failed.txt").exists()
    note_end(tmp_path, 2)
    assert failure_reason(tmp_path) and status(tmp_path) == "failed"
    (tmp_path / "metrics.json").write_text('{"method": "glcic"}')
    assert failure_reason(tmp_path) == "" and status(tmp_path) == "finished"
