"""The README's commands compose, its files exist, its numbers stand in one place."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from conftest import skip_without_plugin

from inpainting import CONF

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [README, *(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))]
BLOCKS = [
    block for page in PAGES for block in re.findall(r"```(?:bash|sh)?\n(.*?)```", page, re.DOTALL)
]
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = sorted({line for line in LINES if line.startswith("python -m inpainting.")})
# Entry points without a configuration, and their own parsers.
PLAIN = ("report", "score", "wandb_view")  # compose no configuration
HEADERS = sorted(
    {
        line.strip("# ").split("   ")[0]
        for path in Path(CONF).rglob("*.yaml")
        for line in path.read_text().splitlines()
        if line.startswith("#   python -m inpainting.")
    }
)


def overrides(command: str) -> tuple[str, list[str]]:
    words = shlex.split(command)
    assert words[:2] == ["python", "-m"]
    name = words[2].removeprefix("inpainting.")
    typed = [word for word in words[3:] if word not in ("-m", "--multirun")]
    # a sweep's first value stands for all of them; a folder that the reader has is only a name
    return name, [re.sub(r"^([\w.]+)=([^\[,]+),.*$", r"\1=\2", word) for word in typed]


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", [*COMMANDS, *HEADERS])
def test_commands_compose(composed, command: str) -> None:
    name, typed = overrides(command)
    if name in PLAIN:
        importlib.import_module(f"inpainting.{name}").parse(typed)
        return
    skip_without_plugin(typed)
    run = re.search(r"run=outputs/(\w+)/", command)  # which would bring its model
    brought = (
        [f"model={run[1]}"] if run and (Path(CONF) / "model" / f"{run[1]}.yaml").exists() else []
    )
    composed(*brought, *typed, name=name)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in LINES for word in re.findall(r"^make (\w+)", line)}
    assert named and named <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_files_that_the_readme_names_exist() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    named = [link for link in linked if not link.startswith("http")]
    assert named and all((ROOT / link).exists() for link in named), named
