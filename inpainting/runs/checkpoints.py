"""Reading checkpoints: the only place that loads them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpainting.errors import InputError
from inpainting.runs.folder import Run

if TYPE_CHECKING:
    from lightning import LightningModule


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """Load a checkpoint, tensors and plain containers only.

    Raises:
        InputError: missing or corrupt; names `key`, the file and what to do.
    """
    import torch

    if not path.is_file():
        raise InputError(f"{key}={path}: there is no such file; type the path of a .ckpt file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint["state_dict"]
    except Exception as error:
        raise InputError(
            f"{key}: {path} is not a readable checkpoint ({type(error).__name__}); "
            "type another one, or train again"
        ) from error
    return checkpoint


def load_weights(method: "LightningModule", path: Path, key: str) -> None:
    """Put the weights of a checkpoint, and nothing else of it, into a method.

    Raises:
        InputError: they do not fit.
    """
    state = read_checkpoint(path, key)["state_dict"]
    try:
        method.load_state_dict(state)
    except RuntimeError as error:
        differences = str(error).splitlines()[1:2]
        raise InputError(
            f"{key}: the weights of {path} are of another network ({' '.join(differences).strip()})"
            "; give the model settings that it was trained with"
        ) from error


def checkpoint_path(text: str, key: str) -> Path:
    """A checkpoint named by its file, or by the folder of its run (then its best)."""
    path = Path(text)
    return Run.open(path, key).checkpoint("best", key) if path.is_dir() else path
