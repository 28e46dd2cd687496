"""Reads the yamls and tables in a run's folder, which may be torn, missing or a stranger's."""

import csv
import io
import os
from pathlib import Path

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from inpainting.errors import InputError

LARGEST = 1_000_000  # bytes; a run's have some thousand


def read_stored(path: Path) -> DictConfig | ListConfig:
    """Read a yaml that a run has written.

    Raises:
        InputError: the file is missing, too large, no yaml, or holds references to its own parts,
            which no run writes and which can fill any memory; names the file.
    """
    advice = "restore it, or type the folder of another run"
    if not path.is_file():
        raise InputError(f"{path} is missing: {advice}")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} is too large to be a run's configuration: {advice}")
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f"{path} refers to its own parts by *{event.anchor}: {advice}")
        found = OmegaConf.create(text)
    except (yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path} cannot be read ({reason}): {advice}") from error
    return found


def read_config(path: Path) -> DictConfig:
    """Read the `config.yaml` of a run.

    Raises:
        InputError: see `read_stored`; or it is not the configuration of a run.
    """
    config = read_stored(path)
    if not isinstance(config, DictConfig) or not {"name", "model", "paths"} <= set(config):
        raise InputError(
            f"{path} is not the configuration of a run: restore it, or type the folder of another "
            "run"
        )
    return config


def read_overrides(path: Path) -> list[str]:
    """Read the `.hydra/overrides.yaml` of a run.

    Raises:
        InputError: see `read_stored`; or it is no list of overrides.
    """
    overrides = read_stored(path)
    if not isinstance(overrides, ListConfig) or not all(isinstance(t, str) for t in overrides):
        raise InputError(f"{path} is no list of settings: type the folder of another run")
    return list(overrides)


def read_lines(path: Path) -> list[list[str]]:
    """Read the whole lines of a csv file, to which lines are appended: the last may be cut short.

    Raises:
        InputError: the file is no text; names it.
    """
    content = path.read_bytes()
    try:
        text = content[: content.rfind(b"\n") + 1].decode("utf-8")
        return [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is no table of text ({error}): restore it, or move it elsewhere"
        ) from error


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that was not written to its end, before a line is appended."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
