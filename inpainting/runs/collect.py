"""Collects the runs in some folders with their test numbers, for reports and scoring."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from inpainting.errors import InputError
from inpainting.metrics.columns import from_plain
from inpainting.runs.folder import Run
from inpainting.runs.identity import data_name, metrics_of, setting_of
from inpainting.runs.measured import Measured, Missing
from inpainting.runs.status import failure_reason, results_of
from inpainting.runs.stored import read_lines, read_stored

UNMEASURED = "not finished: no metrics.json"


def collect(folders: Sequence[str]) -> tuple[list[Measured], list[Missing]]:
    """Collect all runs and evaluations in these folders, and the methods they were compared with.

    Returns:
        the measurements, each once, and the runs without numbers, sorted by folder

    Raises:
        InputError: a folder is missing or holds no run, or a file cannot be read.
    """
    measured: list[Measured] = []
    missing: list[Missing] = []
    for name in folders:
        top = Path(name)
        if not top.is_dir():
            raise InputError(f"{name}: there is no such folder; type the folder of runs or a sweep")
        found = list(_runs(top))
        if not found:
            raise InputError(
                f"{name}: no run in it (no metrics.json, no config.yaml); type a folder that "
                "training wrote, such as outputs/sweeps/NAME"
            )
        for folder in found:
            if results_of(folder) is not None:
                measured += _measured(folder)
            else:
                missing.append(_missing(folder))
    return _without_repeats(_comparable(measured)), sorted(
        set(missing), key=lambda job: str(job.folder)
    )


def _is_run(folder: Path) -> bool:
    names = ("metrics.json", "config.yaml", "failed.txt")
    return any((folder / name).is_file() for name in names) or _is_sweep_job(folder)


def _is_sweep_job(folder: Path) -> bool:
    """Return True for a job of a sweep, even if it was killed before it wrote anything.

    Other commands leave a `.hydra` too, such as a prediction or a training that was refused.
    """
    path = folder / ".hydra" / "hydra.yaml"
    return path.is_file() and OmegaConf.select(read_stored(path), "hydra.mode") == "MULTIRUN"


def _runs(folder: Path) -> Iterator[Path]:
    """Yield the folders of runs in and below this folder; runs do not nest."""
    if _is_run(folder):
        yield folder
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            yield from _runs(child)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    return OmegaConf.to_container(read_stored(path)) if path.is_file() else {}


def _missing(folder: Path) -> Missing:
    # A job that failed early has no config.yaml yet, only what Hydra composed.
    config = _config(folder) or _config(folder / ".hydra")
    row = config.get("row") or config.get("name") or folder.name
    return Missing(folder, row, config.get("seed"), failure_reason(folder) or UNMEASURED)


def _measured(folder: Path) -> Iterator[Measured]:
    """Yield the measurement in a folder and those in its against/ and tests/."""
    config = _config(folder)
    details = _facts(folder)
    source = details.get("run")
    trained = source is not None or "epochs" in details
    # An evaluation has its own data and holes; its run holds the configuration of the training.
    source = _found(source, folder) if source else None
    training = _evaluated(source, config) if source else config
    shared = _shared_fields(folder, config)
    yield _measurement(folder, shared, training, (source or folder) if trained else None)
    named = config.get("against") or []
    runs = {Path(name).name: Path(name) for name in ([named] if isinstance(named, str) else named)}
    for path in sorted((folder / "against").glob("*/metrics.json")):
        other = runs.get(path.parent.name)
        other = other if other and other.is_dir() else None
        yield _measurement(path.parent, shared, _config(other) if other else {}, other)
    for path in sorted((folder / "tests").glob("*/metrics.json")):
        yield from _measured(path.parent)


def _found(run: str, folder: Path) -> Path:
    """Return the folder of an evaluated run, whose path was relative to where the user was then."""
    places = [Path(), *folder.absolute().parents]
    return next((place / run for place in places if (place / run).is_dir()), Path(run))


def _evaluated(source: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a run, with the values that an evaluation of it changed."""
    return _config(source) | {"checkpoint": config["checkpoint"], "model": config["model"]}


def _shared_fields(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that all measurements in a folder share."""
    composed = (folder / ".hydra" / "hydra.yaml").is_file()
    choices = {group: Run(folder).choice(group) for group in ("data", "mask") if composed}
    return {
        "data": data_name(config, choices.get("data")),
        "mask": choices.get("mask") or "",
        "measured_by": metrics_of(config),
        "number": _place(folder) if composed else None,
    }


def _place(folder: Path) -> int | None:
    """Return a job's place in its sweep, from 0; None for a single run."""
    stored = read_stored(folder / ".hydra" / "hydra.yaml")
    return OmegaConf.select(stored, "hydra.job.num", default=None)


def _measurement(
    folder: Path, shared: dict[str, Any], training: dict[str, Any], trained_in: Path | None
) -> Measured:
    """Read the measurement in a folder; `training` is what its method was trained with."""
    details = _facts(folder)
    return Measured(
        folder,
        row=training.get("row") or training.get("name") or details["method"],
        seed=training.get("seed") if trained_in else None,
        completion_seed=training.get("model", {}).get("completion_seed", 0),
        compared_with=training.get("compared_with"),
        setting=setting_of(training) if trained_in else {},
        trained_in=trained_in,
        details=details,
        values=_values(folder),
        **shared,
    )


def _facts(folder: Path) -> dict[str, Any]:
    """Read metrics.json and check the entries that every report needs."""
    path = folder / "metrics.json"
    try:
        details = json.loads(path.read_text())
        _ = (
            details["method"],
            details["mask_hash"],
            int(details["n"]),
            from_plain(details["columns"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not what a test writes ({type(error).__name__}: {error}); run the test "
            "again, or move that folder elsewhere"
        ) from error
    return details


def _values(folder: Path) -> dict[str, np.ndarray]:
    """Read the columns of per_image.csv, except the file names, ordered by the images' index."""
    path = folder / "per_image.csv"
    if not path.is_file():
        raise InputError(f"{path} is missing, and comparisons need it; run the test again")
    if not path.read_bytes().endswith(b"\n"):  # a set of images is whole or no set
        raise InputError(f"{path} is cut short; run the test again")
    header, *rows = read_lines(path) or [[]]
    lines = [dict(zip(header, row, strict=False)) for row in rows]
    try:
        names = [name for name in lines[0] if name != "file"]
        columns = {name: np.array([float(line[name]) for line in lines]) for name in names}
        order = np.argsort(columns["index"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not what a test writes ({type(error).__name__}: {error}); "
            "run the test again"
        ) from error
    return {name: column[order] for name, column in columns.items()}


def _comparable(measured: list[Measured]) -> list[Measured]:
    """Drop metric settings that only some measurements have and on which those agree.

    Such a setting belongs to a metric that the other runs did not measure, which does not make
    the numbers of the remaining metrics incomparable.
    """
    all_settings = [test.measured_by for test in measured]
    keys = {key for settings in all_settings for key in settings}
    kept = {
        key
        for key in keys
        if all(key in settings for settings in all_settings)
        or len({settings[key] for settings in all_settings if key in settings}) > 1
    }
    return [
        replace(test, measured_by={k: v for k, v in test.measured_by.items() if k in kept})
        for test in measured
    ]


def _without_repeats(measured: list[Measured]) -> list[Measured]:
    """Keep each measurement once: all jobs of a sweep may have tested the same classical fills."""
    kept: list[Measured] = []
    for test in measured:
        same = [other for other in kept if _identity(other) == _identity(test)]
        if not any(test.same_numbers(other) for other in same):
            kept.append(test)
    return kept


def _identity(test: Measured) -> tuple:
    return test.row, test.seeds, test.conditions, frozenset(test.setting.items())
