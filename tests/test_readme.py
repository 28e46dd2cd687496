"""The documentation's commands compose, its links lead somewhere, and its examples work."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import skip_without_plugin
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from inpainting import CONF
from inpainting.runs.arguments import complete_arguments
from inpainting.runs.typed import check_typed

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [
    block for page in PAGES.values() for kind, block in FENCED.findall(page) if kind in ("", "bash")
]
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = sorted({line for line in LINES if line.startswith("python -m inpainting.")})
# These compose no configuration and have their own parsers.
PLAIN = ("export", "report", "score", "app", "wandb_view")
HEADERS = sorted(
    {
        line.strip("# ").split("   ")[0]
        for path in Path(CONF).rglob("*.yaml")
        for line in path.read_text().splitlines()
        if line.startswith("#   python -m inpainting.")
    }
)
# The files that docs/extending.md shows, by the path that stands above each.
EXAMPLES = dict(
    re.findall(
        r"^`((?:inpainting|conf)/[\w/]+\.(?:py|yaml))`\n\n```\w+\n(.*?)^```$",
        PAGES["docs/extending.md"],
        re.DOTALL | re.MULTILINE,
    )
)
ADDED = [Path(name).stem for name in EXAMPLES if name.startswith("conf/")]


def write_examples(folder: Path, below: str = "") -> None:
    for name, text in EXAMPLES.items():
        if name.startswith(below):
            (folder / name).write_text(text)


def overrides(command: str) -> tuple[str, list[str]]:
    words = shlex.split(command)
    assert words[:2] == ["python", "-m"]
    name = words[2].removeprefix("inpainting.")
    options = ("-m", "--multirun", "--config-dir")
    typed = [word for word in words[3:] if word.split("=")[0] not in options]
    # a sweep's first value stands for all of them; a folder that the reader has is only a name
    return name, [re.sub(r"^([\w./]+)=([^\[,]+),.*$", r"\1=\2", word) for word in typed]


@pytest.fixture(scope="module")
def conf_with_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    shutil.copytree(CONF, folder / "conf")
    write_examples(folder, "conf/")
    return folder / "conf"


@pytest.fixture
def composing(conf_with_examples: Path) -> Iterator[Path]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_with_examples), version_base="1.3"):
        yield conf_with_examples


def test_the_documentation_has_commands_and_examples() -> None:
    assert len(COMMANDS) > 50
    assert ADDED == ["mine", "circle", "stripes", "gradient", "ddim", "paste"]
    assert len(EXAMPLES) == 2 * len(ADDED)


# An experiment's own command composes the experiment, which tests/test_configs.py does too.
SLOW = [one for one in HEADERS if " experiment=" in one and one not in COMMANDS]
QUICK = sorted({*COMMANDS, *HEADERS} - {*SLOW})


@pytest.mark.parametrize(
    "command", [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_commands_compose(composing: Path, command: str) -> None:
    name, typed = overrides(command)
    if name in PLAIN:
        importlib.import_module(f"inpainting.{name}").parse(typed)
        return
    skip_without_plugin(typed)
    run = re.search(r"(?:run|resume|init_from)=outputs/(?:sweeps/)?(\w+)/", command)
    models = [path.stem for path in (composing / "model").glob("*.yaml")]
    # the run would bring its model, whose name its own begins with, such as cvae_gan_claims
    model = max((one for one in models if run and run[1].startswith(one)), key=len, default=None)
    if name in ("evaluate", "predict"):
        typed = complete_arguments(list(typed))
    compose(name, [*([f"model={model}"] if model else []), *typed, "paths.run=outputs/test"])


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_that_is_documented_is_refused_as_a_typing_error(command: str) -> None:
    name, typed = overrides(command)
    if name in PLAIN or any(one in command for one in ADDED) or "_conf" in command:
        return
    run = re.search(r"(?:run|resume|init_from)=outputs/(?:sweeps/)?(\w+)/", command)
    models = [path.stem for path in (Path(CONF) / "model").glob("*.yaml")]
    model = max((one for one in models if run and run[1].startswith(one)), key=len, default=None)
    if name in ("evaluate", "predict"):
        typed = complete_arguments(list(typed))
    check_typed(name, [*([f"model={model}"] if model else []), *typed])


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in LINES for word in re.findall(r"^make (\w+)", line)}
    assert {"setup", "demo", "test", "slow", "bench", "lint"} <= named <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_is_short_and_names_every_page() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150
    links = [link for _, link in links_of("README.md")]
    assert {name for name in PAGES if name != "README.md"} <= set(links)
    assert {"LICENSE", "CITATION.cff"} <= set(links)


def links_of(page: str) -> list[tuple[str, str]]:
    """Pairs of a page and the target of a link or image in it, except for addresses."""
    targets = re.findall(r"\]\(([^)\s]+)\)", PAGES[page])
    return [(page, target) for target in targets if not target.startswith("http")]


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", PAGES[page]), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [pair for page in PAGES for pair in links_of(page)]


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_links_lead_to_files_and_headings(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    found = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    assert found.exists()
    if anchor:
        assert anchor in anchors(found.relative_to(ROOT).as_posix())


def test_every_figure_is_shown() -> None:
    shown = {Path(target).name for _, target in LINKS if target.endswith(".png")}
    assert shown == {path.name for path in (ROOT / "docs").glob("*.png")}


def test_the_citation_names_the_version_and_the_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith(f"{citation['license']} License") and "2026" in licence


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the files of docs/extending.md in it."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("inpainting", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    write_examples(folder)
    return folder


def python(folder: Path, *arguments: str) -> str:
    """Run `python -m …` in a copy of the repository; returns what it prints."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**own, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_the_tests_find_the_examples_and_they_pass(extended: Path) -> None:
    files = [f"tests/test_{name}.py" for name in ("inpainter", "configs", "masks", "imports")]
    chosen = " or ".join([*ADDED, "annotated", "one_way"])
    printed = python(extended, "pytest", "-vv", *files, "-k", chosen)
    for name in ADDED:
        assert re.search(rf"\[[\w/-]*{name}[\w/-]*\] PASSED", printed), name
    examples = [name for name in EXAMPLES if name.endswith(".py")]
    python(extended, "ruff", "check", *examples)
    python(extended, "ruff", "format", "--check", *examples)


@pytest.mark.slow
def test_the_examples_train_resume_and_fill(extended: Path) -> None:
    python(extended, "pytest", "tests/test_resume.py", "-k", "mine")
    typed = ["data=stripes", "mask=circle", "metrics=gradient", "trainer.max_epochs=2"]
    printed = python(extended, "inpainting.train", "model=mine", *typed, "against=[mean_fill]")
    assert "gradient hole" in printed and "mean_fill" in printed
    typed = ["model=ddpm", "debug=fast", "model/sampler=ddim", "model/sampler/guidance=paste"]
    assert "DDIM(steps=4" in python(extended, "inpainting.train", *typed)
