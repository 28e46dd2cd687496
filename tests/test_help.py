"""What the commands say about themselves: --help, --version, completion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inpainting import __main__ as overview
from inpainting.help_text import docstring, help_of


def test_help_has_what_can_be_typed() -> None:
    text = help_of("evaluate")
    lines = text.splitlines()
    assert (
        lines[0] == "Measure a run on any data and any kind of hole, next to the classical fills."
    )
    (data,) = [line for line in lines if line.startswith("data ")]
    assert "celeba, digits" in data and "base" not in data
    (run,) = [line for line in lines if line.startswith("run=null ")]
    assert "folder of the run to measure" in run
    assert max(map(len, lines)) <= 110
    # the rows of a table are options of one group
    assert "glcic_table/original" in text and "\nexperiment/" not in text


def test_hydra_prints_it(command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command("train", "--help")
    assert not stopped.value.code
    assert capsys.readouterr().out.strip() == help_of("train").replace("$$", "$").strip()


def test_the_commands_are_listed_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["inpainting"])
    overview.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=3)[2:] == ["inpainting.train", docstring("train").split("\n")[0]]
    package = Path(overview.__file__).parent
    runnable = {path.stem for path in package.glob("*.py") if "\ndef main()" in path.read_text()}
    assert runnable - {"__main__"} == set(overview.COMMANDS)
    monkeypatch.setattr(sys, "argv", ["inpainting", "train"])
    with pytest.raises(SystemExit):
        overview.main()
    assert "type python -m inpainting.train" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "report", "score"])
def test_the_version_is_ours(command, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(name, "--version")
    assert not stopped.value.code
    assert capsys.readouterr().out.startswith("inpainting ")


def test_a_shell_completes_options() -> None:
    typed = "inpainting-train model=gl"
    environment = {**os.environ, "COMP_LINE": typed, "COMP_POINT": str(len(typed))}
    script = Path(sys.executable).with_name("inpainting-train")
    if not script.is_file():
        pytest.skip("the package is not installed, so there is no inpainting-train")
    words = [script, "-sc", "query=bash"]
    shown = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["model=glcic"]
