"""How a run was started, as stored in its folder; and whether somebody has edited that by hand."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from inpainting.atomic import write_text
from inpainting.errors import InputError
from inpainting.runs.settings import differing, flat

CHECKSUM = "# sha256 of the lines above: "


@dataclass(frozen=True)
class Record:
    """How a run was started.

    Args:
        folder: of the run
        config: the resolved configuration
        overrides: what was typed; a resumed run composes its configuration from them
    """

    folder: Path
    config: dict[str, Any]
    overrides: list[str]

    @classmethod
    def of(cls, config: DictConfig, folder: Path) -> "Record":
        """Return the record of the command that is running."""
        typed = list(HydraConfig.get().overrides.task)
        return cls(folder, OmegaConf.to_container(config, resolve=True), typed)

    def write(self) -> None:
        """Write `.hydra/overrides.yaml`, `.hydra/resolved.yaml` and `config.yaml`, each whole.

        The last two are equal. `config.yaml` has a checksum, so that an edit shows; the other one
        tells which key was edited.
        """
        (self.folder / ".hydra").mkdir(exist_ok=True)
        text = OmegaConf.to_yaml(self.config)
        write_text(self.folder / ".hydra" / "overrides.yaml", OmegaConf.to_yaml(self.overrides))
        write_text(self.folder / ".hydra" / "resolved.yaml", text)
        write_text(self.folder / "config.yaml", f"{text}{CHECKSUM}{_checksum(text)}\n")


def check_unedited(folder: Path, typed: list[str]) -> None:
    """Refuse to resume a run whose config.yaml was edited, as a resume does not read it.

    Args:
        folder: of the run
        typed: keys that the resume sets

    Raises:
        InputError: names the key that differs, and what to type.
    """
    text, found, checksum = (folder / "config.yaml").read_text().partition(CHECKSUM)
    if not found or checksum.strip() == _checksum(text):
        return
    written = folder / ".hydra" / "resolved.yaml"
    edited = folder / "config.yaml"
    before, now = (
        flat(OmegaConf.to_container(OmegaConf.load(path)))
        for path in (written if written.is_file() else edited, edited)
    )
    for key in differing(now, before):
        if key not in typed:
            was, is_now = before.get(key, "absent"), now.get(key, "absent")
            raise InputError(
                f"{edited} was edited: {key} is {is_now} there and was {was}. A resume takes "
                f"changes from what is typed: undo the edit, and type {key}={is_now} with "
                f"resume={folder} to change it"
            )


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
