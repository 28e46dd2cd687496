"""Imports go one way, and heavy ones only where they are used."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "inpainting"

# What a part must not import, by the beginning of the module's name.
FRAMEWORKS = {"lightning", "hydra", "omegaconf", "wandb"}
OURS = {"methods", "data", "masks", "metrics", "callbacks", "nn", "runs", "assembly"}
FORBIDDEN = {
    "image.py": FRAMEWORKS | {f"inpainting.{part}" for part in OURS},
    "masks.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "diffusion.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "repaint.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "medoid.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "phases.py": FRAMEWORKS | {f"inpainting.{part}" for part in OURS},
    "losses.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "metrics.py": FRAMEWORKS | {"inpainting.methods", "inpainting.data", "inpainting.nn"},
    "labels.py": FRAMEWORKS
    | {f"inpainting.{part}" for part in ("methods", "data", "nn", "classifier")},
    "nn": FRAMEWORKS | {"inpainting.methods", "inpainting.data"},
    "data": {"hydra", "wandb", "inpainting.methods", "inpainting.nn"},
    "methods": {"hydra", "omegaconf", "wandb"}
    | {f"inpainting.{part}" for part in ("data", "masks", "metrics", "callbacks", "runs")},
    "classifier.py": FRAMEWORKS | {"inpainting.methods", "inpainting.callbacks"},
    "checkpoints.py": {"hydra", "omegaconf", "inpainting.methods", "inpainting.data"},
    "callbacks.py": {"hydra", "omegaconf", "inpainting.methods.glcic", "inpainting.data"},
}
ENTRY_POINTS = ("train.py", "evaluate.py", "predict.py", "assembly.py", "runs.py", "training.py")
ENTRY_POINTS += ("measuring.py", "filling.py", "arguments.py", "train_classifier.py")
ENTRY_POINTS += ("comparison.py", "report.py", "score.py")


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def breaks(path: Path, forbidden: set[str]) -> list[str]:
    return sorted(
        name
        for name in imports(path)
        if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)
    )


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_go_one_way(part: str) -> None:
    path = PACKAGE / part
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert files
    for file in files:
        assert not breaks(file, FORBIDDEN[part]), file.name


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_entry_points_name_no_method_data_set_or_mask(name: str) -> None:
    allowed = {"inpainting.methods.base", "inpainting.data.base"}
    ours = {"inpainting.methods", "inpainting.data", "inpainting.masks", "inpainting.nn"}
    found = breaks(PACKAGE / name, ours)
    assert not [one for one in found if not any(one.startswith(base) for base in allowed)]


def test_only_runs_loads_checkpoints() -> None:
    loaders = [path.name for path in PACKAGE.rglob("*.py") if "torch.load(" in path.read_text()]
    assert [name for name in loaders if name not in ("runs.py", "perceptual.py")] == []


def test_no_module_is_called_utils() -> None:
    assert not list(PACKAGE.rglob("*util*"))


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "train_classifier"])
def test_help_answers_quickly_without_torch(name: str) -> None:
    began = time.process_time()
    command = [sys.executable, "-X", "importtime", "-m", f"inpainting.{name}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^model: .*glcic", shown.stdout, re.MULTILINE)
    assert "lightning.pytorch" not in shown.stderr and "torch.nn" not in shown.stderr
    assert time.process_time() - began < 10
