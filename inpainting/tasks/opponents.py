"""The methods that a method is compared with: the key `against`."""

from dataclasses import dataclass
from pathlib import Path

from hydra import compose
from hydra.errors import HydraException
from lightning import LightningDataModule
from omegaconf import DictConfig

from inpainting.errors import InputError
from inpainting.methods.base import Inpainter
from inpainting.runs.checkpoints import load_weights
from inpainting.runs.file_names import quoted
from inpainting.runs.opening import names_run, open_run
from inpainting.tasks.asking import ask
from inpainting.tasks.build import build_method
from inpainting.tasks.checks import check_attributes, check_channels


@dataclass(frozen=True)
class Opponent:
    """A method that the tested method is compared with, on the same images and holes."""

    name: str
    method: Inpainter


def build_opponents(config: DictConfig, data: LightningDataModule) -> list[Opponent]:
    """Build the methods that `against` names, before any long work.

    Raises:
        InputError: an entry names neither a run nor a model without training, its method takes
            another number of channels or other attributes than the data has, or cannot edit, or two
            entries have the same name.
    """
    names = [config.against] if isinstance(config.against, str) else list(config.against or [])
    short = [Path(name).name for name in names]
    found = []
    for name, own in zip(names, short, strict=True):
        if short.count(own) > 1:
            raise InputError(
                f"against={names}: two are called {own}; leave one out, or copy a run to a folder "
                "of another name"
            )
        method = _run_method(name, config) if names_run(name) else _untrained(name, config)
        check_channels(method, data, f"against={name}")
        check_attributes(method, data, f"against={name}")
        told = [attribute.lower() for attribute in method.attributes.names]
        asked = config.get("attributes", {})
        known = {key: value for key, value in asked.items() if key.lower() in told}
        ask(method, f"against={name}", known, config.edit)
        found.append(Opponent(own, method))
    return found


def _run_method(folder: str, config: DictConfig) -> Inpainter:
    run = open_run(folder, "against")
    method = build_method(run.part("model", config), config)
    load_weights(method, run.checkpoint("best", "against"), "against")
    return method


def _untrained(name: str, config: DictConfig) -> Inpainter:
    """Build a model of conf/model that needs no training."""
    try:
        composed = compose("train", [quoted("model", name)])
    except HydraException as error:
        raise InputError(
            f"against={name} is neither the folder of a run nor a model; "
            "type for instance against=[mean_fill,telea,navier_stokes]"
        ) from error
    composed.data = config.data  # a model takes its channels and image size from the data
    method = build_method(composed.model, config)
    if method.trained:
        raise InputError(f"against={name}: this model needs training; type the folder of its run")
    return method
