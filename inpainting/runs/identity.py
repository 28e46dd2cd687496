"""The settings that identify a run in reports: those that its numbers depend on."""

from pathlib import Path
from typing import Any

from inpainting.runs.settings import flat

# Keys of the trainer that affect the weights; the others say where and how fast it trains.
TRAINER = ("max_epochs", "max_time", "limit_train_batches", "overfit_batches", "precision")
TRAINER += ("accumulate_grad_batches", "gradient_clip_val")
NOT_OF_DATA = ("root", "cache", "num_workers", "eval_batch_size", "seed")
# Keys of a metric that say where its weights are stored and whether to download them.
NOT_OF_METRICS = ("cache", "download", "weights", "_partial_", "_target_")


def setting_of(config: dict[str, Any]) -> dict[str, str]:
    """Return the keys and values that define a setting; all seeds of a setting share them."""
    trainer = {k: v for k, v in config.get("trainer", {}).items() if k in TRAINER}
    data = {k: v for k, v in config.get("data", {}).items() if k not in NOT_OF_DATA}
    model = {k: v for k, v in config.get("model", {}).items() if k != "completion_seed"}
    parts = {"model": model, "trainer": trainer, "data": data}
    parts |= {key: config.get(key) for key in ("init_from", "monitor")}
    parts["checkpoint"] = config.get("checkpoint", "best")  # only an evaluation has it
    return {key: str(value) for key, value in flat(parts).items()}


def metrics_of(config: dict[str, Any]) -> dict[str, str]:
    """Return the keys and values that say how the numbers were measured."""
    parts = flat(config["metrics"]) if config.get("metrics") else {}
    return {k: str(v) for k, v in parts.items() if k.rpartition(".")[2] not in NOT_OF_METRICS}


def method_part(setting: dict[str, str]) -> dict[str, str]:
    """Return the part of a setting that belongs to the method, whatever data it meets."""
    # A model takes its channels and its image size from the data.
    of_data = {f"model.{key.removeprefix('data.')}" for key in setting if key.startswith("data.")}
    of_data.add("model.fixed_size")
    return {k: v for k, v in setting.items() if not k.startswith("data.") and k not in of_data}


def data_name(config: dict[str, Any], choice: str | None) -> str:
    """Return a data set's short name: its yaml or class, then the names of its folders, if any."""
    data = config.get("data", {})
    name = choice or str(data.get("_target_", "")).rpartition(".")[2].removesuffix("DataModule")
    root = data.get("prepared") or data.get("root") or []
    roots = [root] if isinstance(root, str) else root
    parts = [name, *(Path(one).name for one in roots)]
    return " ".join(dict.fromkeys(part for part in parts if part))
