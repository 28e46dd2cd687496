"""Sizes of networks by the budget: those of papers and reports, or those that a laptop trains."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from inpainting.errors import check_choice


def by_budget(laptop: Any, full: Any, *, _root_: DictConfig) -> Any:
    """Return the value for the composed `budget`, as `${by_budget:24,64}` in a yaml.

    Args:
        laptop: for a training that ends in minutes on the CPU of a laptop
        full: of the paper or report

    Raises:
        InputError: the budget is another.
    """
    budget = _root_.get("budget", "full")
    check_choice("budget", budget, ("laptop", "full"))
    chosen = laptop if budget == "laptop" else full
    return OmegaConf.create(chosen) if isinstance(chosen, list) else chosen


def register_sizes() -> None:
    """Let the yamls of models ask for sizes."""
    OmegaConf.register_new_resolver("by_budget", by_budget, replace=True)
