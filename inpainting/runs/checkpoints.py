"""Loading checkpoints; no other module of this package reads them."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpainting.errors import InputError
from inpainting.runs.exported import SUFFIX, read_exported
from inpainting.runs.opening import names_run, open_run

if TYPE_CHECKING:
    from lightning import LightningModule

LONGEST = 200  # characters of torch's list of differences, which may fill several screens

log = logging.getLogger(__name__)


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """Load a checkpoint onto the CPU, tensors and plain containers only.

    Args:
        path: a .ckpt file, or one that export has written
        key: what the user typed to name it

    Raises:
        InputError: the file is missing or corrupt; names `key`, the file and what to do.
    """
    import torch

    if not path.is_file():
        raise InputError(f"{key}={path}: there is no such file; type the path of a .ckpt file")
    if path.suffix == SUFFIX:
        return read_exported(path, key)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint["state_dict"]
    except Exception as error:
        raise InputError(
            f"{key}: {path} is not a readable checkpoint ({type(error).__name__}); "
            "type the path of another checkpoint, or train again"
        ) from error
    return checkpoint


def load_weights(
    method: "LightningModule", path: Path, key: str, afresh: tuple[str, ...] = ()
) -> None:
    """Load the weights of a checkpoint, and of the frozen networks beside it, into a method.

    Args:
        method: takes the weights
        path: of the checkpoint
        key: what the user typed to name it
        afresh: names of the method's networks that keep their own weights, with a line that says
            so, where those of the checkpoint do not fit

    Raises:
        InputError: the checkpoint cannot be read, or its weights do not fit the method.
    """
    checkpoint = read_checkpoint(path, key)
    state = checkpoint["state_dict"]
    own = method.state_dict()
    for entry, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise InputError(
                f"{key}: the weights in {path} are not finite ({entry}), so its completions would "
                "mean nothing; type the path of another checkpoint, or train again"
            )
    if path.suffix == SUFFIX:  # it lacks what only a training needs, which a new one starts
        absent = tuple(f"{name}." for name in method.only_trains)
        state |= {entry: own[entry] for entry in own if entry.startswith(absent)}
    for name in afresh:
        prefix = f"{name}."
        mine, theirs = (
            {entry: value.shape for entry, value in weights.items() if entry.startswith(prefix)}
            for weights in (own, state)
        )
        if mine != theirs:
            what = "a new one starts" if mine else "it is left out"
            held = "another" if theirs else "no"
            log.warning("%s: %s holds %s %s; %s", key, path, held, name, what)
            state = {entry: value for entry, value in state.items() if entry not in theirs}
            state |= {entry: own[entry] for entry in mine}
    try:
        method.load_state_dict(state)
    except RuntimeError as error:
        difference = "".join(str(error).splitlines()[1:2]).strip()
        if len(difference) > LONGEST:
            difference = f"{difference[:LONGEST].rpartition(',')[0]}, …"
        raise InputError(
            f"{key}: the weights in {path} belong to another network ({difference}); type the "
            "model settings they were trained with"
        ) from error
    for name, network in method.frozen.items():
        loaded = checkpoint.get("beside", {}).get(name)
        loaded = loaded or read_checkpoint(path.with_name(f"{name}.pt"), key)
        network.load_state_dict(loaded["state_dict"])
        method.on_frozen_loaded(name, loaded["facts"])


def checkpoint_path(text: str, key: str) -> Path:
    """Return the path of a checkpoint; a run stands for its best one."""
    return open_run(text, key).checkpoint("best", key) if names_run(text) else Path(text)
