"""The settings that a run's numbers depend on, and the comparison with those in a folder."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from inpainting.errors import InputError
from inpainting.runs.stored import read_config

# Keys, or the first parts of keys, that change neither a training nor its numbers.
DISPLAY = ("paths", "resume", "retry_failed", "trust", "logger")
DISPLAY += ("callbacks.progress", "callbacks.grids")
DISPLAY += ("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.profiler")
DISPLAY += ("data.num_workers", "callbacks.last")
# What follows from `tokenizer.run`, and is put in when a training starts.
FOLLOW = ("tokenizer.module.", "model.tokenizer.")


def check_same(config: DictConfig, folder: Path) -> None:
    """Refuse a configuration that differs from that of the job in the folder.

    Raises:
        InputError: names the first key that differs.
    """
    if not (folder / "config.yaml").is_file():
        return
    before, now = settings(read_config(folder / "config.yaml")), settings(config)
    keys = differing(now, before)
    if keys:
        key, more = keys[0], f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
        was, is_now = (
            _typed(values[key]) if key in values else "absent" for values in (before, now)
        )
        go_on = f"{key}={was} to continue that job, or " if key in before else ""
        raise InputError(
            f"{folder} holds a job with another configuration: {key} is {was} there and {is_now} "
            f"now{more}; type {go_on}name=OTHER to start another sweep"
        )


def _typed(value: Any) -> str:
    """Write a value as it is typed on the command line."""
    plain = {"None": "null", "True": "true", "False": "false"}
    return plain.get(str(value), str(value))


def settings(config: DictConfig) -> dict[str, Any]:
    """Return what a run's numbers depend on: dotted keys and resolved values.

    Paths inside the run's folder or the cache are given relative to them, so that two runs of one
    configuration have equal settings wherever they lie.
    """
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    tree = OmegaConf.to_container(own, resolve=True)
    places = {tree["paths"][name]: f"paths.{name}" for name in ("run", "cache")}
    values = flat(tree)
    for key, value in values.items():
        for place, name in places.items():
            if isinstance(value, str) and f"{value}/".startswith(f"{place}/"):
                values[key] = name + value.removeprefix(place)
    follow = FOLLOW if values.get("tokenizer.run") else ()
    return {
        key: value
        for key, value in values.items()
        if not is_display(key) and not f"{key}.".startswith(follow)
    }


def is_display(key: str) -> bool:
    """Return True if a key changes neither a training nor its numbers."""
    return any(key == start or key.startswith(f"{start}.") for start in DISPLAY)


def differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the keys in which two sets of settings differ."""
    return [key for key in first | second if first.get(key, "absent") != second.get(key, "absent")]


def flat(tree: Any, key: str = "") -> dict[str, Any]:
    """Flatten nested dicts into one with dotted keys; an empty dict counts as a value."""
    if not (isinstance(tree, dict) and tree):
        return {key: tree}
    parts = [flat(branch, f"{key}.{name}" if key else str(name)) for name, branch in tree.items()]
    return {name: value for part in parts for name, value in part.items()}
