"""One file that holds a method: weights in safetensors, its configuration in the metadata.

`python -m inpainting.export` writes it. Nothing in it is executed when it is read, and equal runs
give equal bytes.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from inpainting.atomic import replacing
from inpainting.errors import InputError
from inpainting.runs.folder import Run

if TYPE_CHECKING:
    from lightning import LightningModule
    from torch import Tensor

SUFFIX = ".safetensors"
FORMAT = 1
ENTRY = "inpainting"  # one entry, because safetensors writes several in any order
# First parts of keys whose overrides say nothing about what the method fills, or was tested on.
STAYS = ("trainer", "logger", "callbacks", "debug", "hydra", "paths", "seed", "against", "resume")
STAYS += ("init_from", "compile")
AVERAGE = "average.network."  # prefix of averaged weights, see `inpainting.nn.average`
OWN, BESIDE = "method.", "beside."  # prefixes of the method's weights and its frozen networks'


class Exported(Run):
    """A file that export has written, which stands for the run that it came from."""

    @classmethod
    def open(cls, folder: str | Path, key: str = "run") -> "Exported":
        """Open a file that export has written.

        Args:
            folder: the path of the file
            key: what the user typed to name it

        Raises:
            InputError: there is no such file, or it is not of this form.
        """
        path = Path(folder).expanduser()
        if not path.is_file():
            raise InputError(f"{key}={folder}: there is no such file; type another path")
        _metadata(path, key)
        return cls(path)

    @property
    def config(self) -> DictConfig:
        """The name and the model, resolved."""
        return OmegaConf.create(_metadata(self.folder, "run")["config"])

    @property
    def overrides(self) -> list[str]:
        """The overrides that were typed to start the run, but for its training and its paths."""
        return list(_metadata(self.folder, "run")["overrides"])

    def choice(self, group: str) -> str | None:
        """Return the option of a configuration group that the run was composed with, or None."""
        return _metadata(self.folder, "run")["choices"].get(group)

    def checkpoint(self, name: str, key: str = "run") -> Path:
        """Return the path of the file, which holds one checkpoint.

        Raises:
            InputError: another checkpoint than the best is asked for.
        """
        if name != "best":
            raise InputError(
                f"checkpoint={name}: {self.folder} holds one set of weights; leave it out"
            )
        return self.folder


def _metadata(path: Path, key: str) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            entry = (file.metadata() or {}).get(ENTRY)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{key}: {path} cannot be read ({error}); export it again") from error
    if entry is None:
        raise InputError(
            f"{key}: {path} holds weights without a configuration; type a file that "
            "python -m inpainting.export has written"
        )
    content = json.loads(entry)
    if content["format"] != FORMAT:
        raise InputError(
            f"{key}: {path} was written by another version of inpainting "
            f"({content['version']}); export it again, or install that version"
        )
    return content


def read_exported(path: Path, key: str) -> dict[str, Any]:
    """Return the weights of a file: `state_dict`, and `beside`, the frozen networks by name.

    Args:
        path: of the file
        key: what the user typed to name it

    Raises:
        InputError: the file is not of this form, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    content = _metadata(path, key)
    facts, followed = content["beside"], content.get("followed") or "network"
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{key}: {path} cannot be read ({error}); export it again") from error
    own = _below(tensors, OWN)
    return {
        "state_dict": {f"{followed}.{k}": v for k, v in _below(own, AVERAGE).items()} | own,
        "beside": {
            name: {"state_dict": _below(tensors, f"{BESIDE}{name}."), "facts": known}
            for name, known in facts.items()
        },
    }


def _averaged(name: str, followed: str) -> str:
    """Return the name of an entry's averaged weights, if it is one of the network followed."""
    return f"{AVERAGE}{name.removeprefix(f'{followed}.')}"


def _below(tensors: "dict[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def write_exported(
    method: "LightningModule", run: Run, model: DictConfig, path: Path, half: bool
) -> None:
    """Write a method with its weights into one file.

    Networks that only a training needs are left out, and so are the present weights of a network
    that fills by their average, which stands for them if another training starts from the file.

    Args:
        method: with the run's weights
        run: where it comes from
        model: its configuration, resolved
        path: of the file, which is replaced
        half: store weights in 16 bits; biases, statistics and the like keep theirs

    Raises:
        InputError: weights are too large for 16 bits.
    """
    from safetensors.torch import save

    state = method.state_dict()
    only_trains = tuple(f"{part}." for part in method.only_trains)
    tensors = {
        f"{OWN}{name}": tensor
        for name, tensor in state.items()
        if not name.startswith(only_trains) and _averaged(name, method.followed) not in state
    }
    for name, network in method.frozen.items():
        tensors |= {f"{BESIDE}{name}.{key}": one for key, one in network.state_dict().items()}
    stored = {name: _stored(tensor, half) for name, tensor in tensors.items()}
    content = {
        "format": FORMAT,
        "version": version("inpainting"),
        "config": {
            "name": str(run.config.name),
            "model": OmegaConf.to_container(model, resolve=True),
        },
        "overrides": [text for text in run.overrides if _travels(text)],
        "choices": {group: run.choice(group) for group in ("model", "data", "mask")},
        "followed": method.followed,
        "beside": {name: method.frozen_facts.get(name, {}) for name in method.frozen},
    }
    with replacing(path, "wb") as file:
        file.write(save(stored, {ENTRY: json.dumps(content, sort_keys=True)}))


def _travels(override: str) -> bool:
    """Return False for how a run was trained, and for places on the machine of its training."""
    key = override.lstrip("+~").split("=")[0]
    return not (key.split(".")[0].split("@")[0] in STAYS or key.endswith(".root"))


def _stored(tensor: "Tensor", half: bool) -> "Tensor":
    tensor = tensor.detach().cpu()
    if half and tensor.is_floating_point() and tensor.dim() > 1:
        if tensor.abs().max() > 60000:  # the largest number of 16 bits is 65504
            raise InputError("half=true: weights are too large for 16 bits; leave it out")
        tensor = tensor.half()
    return tensor.clone().contiguous()  # safetensors refuses memory that two tensors share
