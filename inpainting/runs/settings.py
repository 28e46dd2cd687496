"""What a run's numbers follow from, and whether a folder holds a run of the same."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from inpainting.errors import InputError

# What changes neither a training nor its numbers, by the beginning of the key.
DISPLAY = ("paths", "resume", "retry_failed", "logger", "callbacks.progress", "callbacks.grids")
DISPLAY += ("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.profiler")
DISPLAY += ("data.num_workers",)


def check_same(config: DictConfig, folder: Path) -> None:
    """Refuse to go on with a job of another configuration.

    Raises:
        InputError: names the first key that differs.
    """
    if not (folder / "config.yaml").is_file():
        return
    before, now = settings(OmegaConf.load(folder / "config.yaml")), settings(config)
    keys = differing(now, before)
    if keys:
        key, more = keys[0], f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
        was, is_now = (_typed(one[key]) if key in one else "absent" for one in (before, now))
        go_on = f"{key}={was} to go on with it, or " if key in before else ""
        raise InputError(
            f"{folder} holds a job of another configuration: {key} is {was} there and {is_now} now"
            f"{more}; type {go_on}name=OTHER for a sweep of its own"
        )


def _typed(value: Any) -> str:
    """As it is typed on the command line."""
    plain = {"None": "null", "True": "true", "False": "false"}
    return plain.get(str(value), str(value))


def settings(config: DictConfig) -> dict[str, Any]:
    """What a run's numbers follow from: dotted keys and resolved values, wherever it lies."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    tree = OmegaConf.to_container(own, resolve=True)
    places = {tree["paths"][name]: f"paths.{name}" for name in ("run", "cache")}
    values = flat(tree)
    for key, value in values.items():
        for place, name in places.items():
            if isinstance(value, str) and f"{value}/".startswith(f"{place}/"):
                values[key] = name + value.removeprefix(place)
    return {key: value for key, value in values.items() if not is_display(key)}


def is_display(key: str) -> bool:
    """Whether a key changes neither a training nor its numbers."""
    return any(key == one or key.startswith(f"{one}.") for one in DISPLAY)


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys in which two settings differ."""
    return [key for key in one | other if one.get(key, "absent") != other.get(key, "absent")]


def flat(tree: Any, key: str = "") -> dict[str, Any]:
    """Nested dicts as one of dotted keys; a dict without entries is a value."""
    if not (isinstance(tree, dict) and tree):
        return {key: tree}
    parts = [flat(branch, f"{key}.{name}" if key else str(name)) for name, branch in tree.items()]
    return {name: value for part in parts for name, value in part.items()}
