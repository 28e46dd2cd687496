"""The tree mirrors conf/, imports go one way, and heavy ones stand only where they are used."""

import ast
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from inpainting import CONF

PACKAGE = Path(__file__).parents[1] / "inpainting"
FILES = sorted(PACKAGE.rglob("*.py"))
COMMANDS = [path.stem for path in PACKAGE.glob("*.py") if "\ndef main(" in path.read_text()]

# A yaml in conf/GROUP targets these parts of the package.
TARGETS = {
    "model": ("methods", "nn", "diffusion", "tokens", "tasks.token_grids", "schedules"),
    "data": ("data",),
    "detector": ("detectors",),
    "mask": ("masks",),
    "metrics": ("metrics", "tasks.classifier"),
    "tokenizer": ("tokens", "tasks.tokenizer"),
    "callbacks": ("callbacks",),
    "logger": ("loggers",),
    "trainer": ("trainer",),
    "hydra": ("sweeps", "runs"),
}
FRAMEWORKS = {"lightning", "hydra", "omegaconf", "wandb"}
# What a part may import of ours, besides itself and what stands at the bottom.
BOTTOM = {"errors", "rng", "atomic", "stopping", "values"}
ALLOWED = {
    "images": set(),
    "losses": set(),
    "schedules": set(),
    "masks": {"images"},
    "diffusion": set(),
    "nn": set(),
    "tokens": {"nn"},
    "metrics": {"images"},
    "data": {"masks", "images"},
    "detectors": set(),
    "preparing": {"data", "detectors", "images", "masks"},
    "methods": {"nn", "losses", "diffusion", "tokens", "schedules", "images"},
    "callbacks": {"images", "metrics"},
    "trainer": set(),
    "runs": {"metrics", "trainer"},
    "loggers": {"images", "metrics", "runs"},
    "sweeps": {"runs", "metrics"},
    "filling": {"images", "methods", "runs", "tasks"},
    "scoring": {"images", "runs", "serving"},
    "painting": {"data", "filling", "images", "runs", "serving"},
    "reporting": {"images", "metrics", "runs", "scoring"},
    "tasks": {
        "callbacks", "data", "detectors", "images", "loggers", "methods", "metrics", "nn",
        "preparing", "runs", "tokens", "trainer",
    },
}  # fmt: skip
# Libraries that a part must not import: what is mathematics knows no framework.
FOREIGN = {
    **{
        part: FRAMEWORKS
        for part in ("images", "losses", "schedules", "masks", "diffusion", "nn", "tokens")
    },
    "metrics": FRAMEWORKS,
    "data": {"hydra", "wandb"},
    "detectors": FRAMEWORKS,
    "preparing": FRAMEWORKS,
    "methods": {"hydra", "omegaconf", "wandb"},
    "callbacks": {"hydra", "omegaconf", "wandb"},
}


def module_of(path: Path) -> str:
    """Dotted name below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path) for path in FILES}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if name.removeprefix("inpainting.") in MODULES}
            found |= modules or {node.module}
    return found


def ours(path: Path) -> set[str]:
    """Modules of this package that a file imports."""
    return {
        name.removeprefix("inpainting.")
        for name in imports(path)
        if name.startswith("inpainting.") and name.removeprefix("inpainting.") in MODULES
    }


def part_of(module: str) -> str:
    return module.split(".")[0]


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """One circle among these arrows; empty where there is none."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return path[path.index(node) :]
        if node in done:
            return []
        for after in sorted(arrows.get(node, ())):
            if found := walk(after, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(arrows) if (found := walk(node, []))), [])


def test_no_circles_by_file_or_by_folder() -> None:
    by_file = {module_of(path): ours(path) for path in FILES}
    assert circle(by_file) == []
    by_folder: dict[str, set[str]] = defaultdict(set)
    for module, targets in by_file.items():
        by_folder[part_of(module)] |= {part_of(one) for one in targets} - {part_of(module)}
    assert circle(by_folder) == []


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_go_one_way(part: str) -> None:
    files = [path for path in FILES if part_of(module_of(path)) == part]
    assert files
    for path in files:
        below = {part_of(module) for module in ours(path)} - {part} - BOTTOM
        assert below <= ALLOWED[part], path
        foreign = {name.split(".")[0] for name in imports(path)} & FOREIGN.get(part, set())
        assert not foreign, path


def test_every_part_has_its_rule() -> None:
    parts = {part_of(module_of(path)) for path in FILES if path.parent != PACKAGE}
    assert parts <= set(ALLOWED)


def targets(tree: object, group: str = "") -> list[tuple[str, str]]:
    """Group and `_target_` of everything that a yaml builds; a dotted key begins with its group."""
    if isinstance(tree, dict):
        own = [(group, tree["_target_"])] if "_target_" in tree else []
        return own + [pair for key, one in tree.items() for pair in targets(one, group or key)]
    return []


@pytest.mark.parametrize("path", sorted(Path(CONF).rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_of_a_group_targets_the_folder_of_that_group(path: Path) -> None:
    tree = OmegaConf.to_container(OmegaConf.load(path))
    everywhere = "@package _global_" in path.read_text() or path.parent == Path(CONF)
    group = "" if everywhere else path.relative_to(CONF).parts[0]
    for owner, target in targets(tree, group):
        if target.startswith("inpainting."):
            place = target.removeprefix("inpainting.")
            assert any(place.startswith(f"{part}.") for part in TARGETS[owner]), (owner, target)


@pytest.mark.parametrize("name", [*COMMANDS, "tasks", "sweeps", "runs"])
def test_commands_and_tasks_name_no_method_data_set_or_mask(name: str) -> None:
    allowed = {"methods.base", "data.base", "data.arrays", "data.augment", "nn.classifier"}
    allowed |= {"data.decoded", "data.listing", "detectors.base"}
    named = ("methods", "data", "masks", "nn", "diffusion", "detectors")
    for path in FILES:
        if part_of(module_of(path)) == name:
            assert {one for one in ours(path) if part_of(one) in named} <= allowed, path


def test_checkpoints_are_loaded_in_one_place() -> None:
    loaders = {module_of(path) for path in FILES if "torch.load(" in path.read_text()}
    weights = {"metrics.lpips", "metrics.inception", "tokens.dalle_weights"}
    weights.add("detectors.torchvision")
    assert loaders == {"runs.checkpoints"} | weights


def test_a_name_means_one_thing() -> None:
    """No two public classes or functions share a name, but for what an interface prescribes."""
    shared = {"main", "parse", "run", "view", "report", "show"}
    names = Counter(
        node.name
        for path in FILES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1 and name not in shared] == []


def test_files_and_functions_stay_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in FILES)
    assert lengths[-1] <= 250 and lengths[len(lengths) // 2] <= 90
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node, clean=False) or ""
                body = node.end_lineno - node.lineno + 1 - docstring.count("\n")
                assert body <= 50, (path.name, node.name, body)


def test_public_functions_are_annotated_and_documented() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        public = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in public:
            if node.name.startswith("_") and node.name != "__init__":
                continue
            arguments = [*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            bare = [a.arg for a in arguments if a and a.arg not in ("self", "cls", "_", "__")]
            annotated = {a.arg for a in arguments if a and a.annotation}
            assert set(bare) <= annotated, (path.name, node.name)
            assert node.returns is not None or node.name == "__init__", (path.name, node.name)


def test_no_module_is_called_utils() -> None:
    assert not list(PACKAGE.rglob("*util*"))


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "train_classifier"])
def test_help_answers_quickly_without_torch(name: str) -> None:
    began = time.process_time()
    command = [sys.executable, "-X", "importtime", "-m", f"inpainting.{name}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^model +.*glcic", shown.stdout, re.MULTILINE)
    assert "lightning.pytorch" not in shown.stderr and "torch.nn" not in shown.stderr
    assert time.process_time() - began < 10
