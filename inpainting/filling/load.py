"""Loads a method by a name: a run's folder, an exported file, or a method without training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting import CONF
from inpainting.errors import InputError, for_the_user
from inpainting.filling.filler import Filler
from inpainting.methods.base import Inpainter
from inpainting.runs.arguments import evaluation_arguments, quoted
from inpainting.runs.bundled import bundled
from inpainting.runs.opening import names_run
from inpainting.tasks.parts import method_of_run


def load_filler(
    name: str, device: str | torch.device | None, checkpoint: str, overrides: Sequence[str]
) -> Filler:
    """Load a method; see `inpainting.load`."""
    key = "run" if names_run(name) else "model"
    if key == "model" and not (Path(CONF) / "model" / f"{name}.yaml").is_file():
        raise InputError(
            f"{name} is neither a run's folder, nor a file that export has written, nor a method: "
            f"give one of these, such as {', '.join([*bundled(), 'telea'])}"
        )
    typed = [quoted(key, name), *overrides]
    typed += [] if key == "model" else [f"checkpoint={checkpoint}"]
    method, own_name, _ = method_alone(typed)
    return Filler(method, own_name, device)


def method_alone(typed: Sequence[str]) -> tuple[Inpainter, str, DictConfig]:
    """Build the method that a command line of `predict` names, without running that command.

    Args:
        typed: such as run=outputs/glcic/STAMP, or model=telea

    Returns:
        the method with its weights, its name, and the composed configuration

    Raises:
        InputError: see `method_of_run`.
    """
    try:
        with _composed_alone("predict", evaluation_arguments(list(typed))) as config:
            return *method_of_run(config), config
    except Exception as error:
        cause = for_the_user(error)
        if cause is None or cause is error:
            raise
        raise cause from error


@contextmanager
def _composed_alone(command: str, arguments: Sequence[str]) -> Iterator[DictConfig]:
    """Compose a command's configuration, and leave Hydra as it was: absent, or in another job."""
    outer, outer_config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(CONF, version_base="1.3"):
            config = compose(command, list(arguments), return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            yield config
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = outer, outer_config
