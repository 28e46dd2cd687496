"""What a run was set to, as far as it makes a difference to its numbers."""

from pathlib import Path
from typing import Any

from inpainting.runs.settings import flat

# Parts of a configuration that say how a method was trained; the rest says where and how fast.
TRAINER = ("max_epochs", "max_time", "limit_train_batches", "overfit_batches", "precision")
TRAINER += ("accumulate_grad_batches", "gradient_clip_val")
NOT_OF_DATA = ("root", "cache", "num_workers", "eval_batch_size", "seed")
# Where weights lie and whether they are fetched; the networks themselves have keys of their own.
NOT_OF_METRICS = ("cache", "download", "weights", "_partial_", "_target_")


def setting_of(config: dict[str, Any]) -> dict[str, str]:
    """The keys that tell one setting from another; seeds of one setting have them in common."""
    trainer = {k: v for k, v in config.get("trainer", {}).items() if k in TRAINER}
    data = {k: v for k, v in config.get("data", {}).items() if k not in NOT_OF_DATA}
    model = {k: v for k, v in config.get("model", {}).items() if k != "completion_seed"}
    parts = {"model": model, "trainer": trainer, "data": data}
    parts |= {key: config.get(key) for key in ("init_from", "monitor")}
    parts["checkpoint"] = config.get("checkpoint", "best")  # what an evaluation took
    return {key: str(value) for key, value in flat(parts).items()}


def metrics_of(config: dict[str, Any]) -> dict[str, str]:
    """The keys that say how numbers were measured."""
    parts = flat(config["metrics"]) if config.get("metrics") else {}
    return {k: str(v) for k, v in parts.items() if k.rpartition(".")[2] not in NOT_OF_METRICS}


def method_part(setting: dict[str, str]) -> dict[str, str]:
    """The keys of a setting that stay the method's own on other images and holes."""
    # A model takes its channels and size from its data.
    of_data = {f"model.{key.removeprefix('data.')}" for key in setting if key.startswith("data.")}
    of_data.add("model.fixed_size")
    return {k: v for k, v in setting.items() if not k.startswith("data.") and k not in of_data}


def data_name(config: dict[str, Any], choice: str | None) -> str:
    """Short name of a data set: its yaml, or its class; a folder of images also by its name."""
    data = config.get("data", {})
    name = choice or str(data.get("_target_", "")).rpartition(".")[2].removesuffix("DataModule")
    root = data.get("root")
    return f"{name} {Path(root).name}" if root else name
