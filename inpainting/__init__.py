"""Train, measure and compare image inpainting methods."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inpainting import budget

if TYPE_CHECKING:
    import torch

    from inpainting.filling.filler import Filler

_HERE = Path(__file__).resolve().parent

# A wheel carries conf/ inside the package; a checkout has it beside the package. The path is
# absolute, so that commands work from any folder and Lightning can start further processes.
CONF = str(_HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf")
budget.register_sizes()


def load(
    name: str | Path,
    *,
    device: "str | torch.device | None" = None,
    checkpoint: str = "best",
    overrides: Sequence[str] = (),
) -> "Filler":
    """Load a method that fills holes, without Hydra or with it.

    method = inpainting.load("bundled/ddpm_digits")
    filled = method.fill(image, mask)

    Args:
        name: the folder of a run, a .safetensors file that `python -m inpainting.export` wrote, a
            method that comes along, such as "bundled/ddpm_digits", or one that needs no training:
            "telea", "navier_stokes" or "mean_fill"
        device: such as "cpu" or "cuda"; None takes a GPU if there is one
        checkpoint: of a run's folder: "best", or "last"
        overrides: what `predict` takes too, such as ["model/sampler=repaint", "model.candidates=4"]

    Returns:
        an object whose `fill` fills the hole of an image of any size

    Raises:
        InputError: there is no such method, or its file is damaged.
    """
    # Imported here so that commands answer --help without loading torch.
    from inpainting.filling.load import load_filler

    return load_filler(str(name), device, checkpoint, overrides)
