"""Runs of some folders with their test numbers: what a report is made of."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from inpainting.errors import InputError
from inpainting.metrics.columns import from_plain
from inpainting.runs.folder import Run, failure_reason
from inpainting.runs.identity import data_name, metrics_of, setting_of
from inpainting.runs.measured import Measured, Missing

UNMEASURED = "not finished: no metrics.json"


def collect(folders: Sequence[str]) -> tuple[list[Measured], list[Missing]]:
    """All runs and evaluations in these folders, and the methods that they were compared with.

    Raises:
        InputError: a folder is missing or holds none; a file cannot be read.
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
                f"{name}: no run in it (no metrics.json and no config.yaml); type a folder that "
                "training wrote, such as outputs/sweeps/NAME"
            )
        for folder in found:
            if (folder / "metrics.json").is_file():
                measured += _measured(folder)
            else:
                missing.append(_missing(folder))
    return _without_repeats(_comparable(measured)), sorted(
        set(missing), key=lambda one: str(one.folder)
    )


def _is_run(folder: Path) -> bool:
    names = ("metrics.json", "config.yaml", ".hydra/config.yaml", "failed.txt")
    return any((folder / name).is_file() for name in names)


def _runs(folder: Path) -> Iterator[Path]:
    """Folders of runs in and below this one; nothing is a run inside another."""
    if _is_run(folder):
        yield folder
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            yield from _runs(child)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    return OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}


def _missing(folder: Path) -> Missing:
    # A job that failed early has no config.yaml yet, only what was composed.
    config = _config(folder) or _config(folder / ".hydra")
    row = config.get("row") or config.get("name") or folder.name
    return Missing(folder, row, config.get("seed"), failure_reason(folder) or UNMEASURED)


def _measured(folder: Path) -> Iterator[Measured]:
    """The measurement in a folder and those in its against/."""
    config = _config(folder)
    details = _facts(folder)
    source = details.get("run")
    trained = source is not None or "epochs" in details
    # An evaluation has its own data and holes; how the method was trained, its run knows.
    training = _evaluated(Path(source), config) if source else config
    where = _where(folder, config)
    yield _measurement(folder, where, training, Path(source or folder) if trained else None)
    named = config.get("against") or []
    runs = {Path(name).name: Path(name) for name in ([named] if isinstance(named, str) else named)}
    for path in sorted((folder / "against").glob("*/metrics.json")):
        other = runs.get(path.parent.name)
        other = other if other and other.is_dir() else None
        yield _measurement(path.parent, where, _config(other) if other else {}, other)


def _evaluated(source: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run, with what an evaluation of it changed."""
    return _config(source) | {"checkpoint": config["checkpoint"], "model": config["model"]}


def _where(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """What the measurements of a folder have in common."""
    composed = (folder / ".hydra" / "hydra.yaml").is_file()
    choices = {group: Run(folder).choice(group) for group in ("data", "mask") if composed}
    return {
        "data": data_name(config, choices.get("data")),
        "mask": choices.get("mask") or "",
        "measured_by": metrics_of(config),
    }


def _measurement(
    folder: Path, where: dict[str, Any], training: dict[str, Any], trained_in: Path | None
) -> Measured:
    """What lies in a folder; `training` is the configuration that the method was trained with."""
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
        **where,
    )


def _facts(folder: Path) -> dict[str, Any]:
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
            f"{path} is not what a test writes ({type(error).__name__}: {error}); test that run "
            "again, or take its folder away"
        ) from error
    return details


def _values(folder: Path) -> dict[str, np.ndarray]:
    """The columns of per_image.csv but the file's name, in the order of the images' index."""
    path = folder / "per_image.csv"
    if not path.is_file():
        raise InputError(f"{path} is missing: without it nothing can be compared; test that again")
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    try:
        names = [name for name in lines[0] if name != "file"]
        columns = {name: np.array([float(line[name]) for line in lines]) for name in names}
        order = np.argsort(columns["index"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not what a test writes ({type(error).__name__}: {error}); test that again"
        ) from error
    return {name: column[order] for name, column in columns.items()}


def _comparable(measured: list[Measured]) -> list[Measured]:
    """With those settings of the metrics that all have, or in which some differ.

    What only some measured, by the same settings, does not make the rest another measurement.
    """
    of_all = [one.measured_by for one in measured]
    keys = {key for settings in of_all for key in settings}
    kept = {
        key
        for key in keys
        if all(key in settings for settings in of_all)
        or len({settings[key] for settings in of_all if key in settings}) > 1
    }
    return [
        replace(one, measured_by={k: v for k, v in one.measured_by.items() if k in kept})
        for one in measured
    ]


def _without_repeats(measured: list[Measured]) -> list[Measured]:
    """Each measurement once: every job of a sweep may have measured the same classical fills."""
    kept: list[Measured] = []
    for one in measured:
        same = [other for other in kept if _identity(other) == _identity(one)]
        if not any(one.same_numbers(other) for other in same):
            kept.append(one)
    return kept


def _identity(one: Measured) -> tuple:
    return one.row, one.seeds, one.conditions, frozenset(one.setting.items())
