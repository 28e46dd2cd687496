"""A folder of its own for every command, made before Hydra writes into it."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from inpainting.errors import is_first_process, one_sentence
from inpainting.runs.folder import claimed


class FreshFolder(Callback):
    """The Hydra callback that chooses the folder of a single run.

    Args:
        number: put a number behind the name of a folder that exists, unless the folder was typed
    """

    def __init__(self, number: bool):
        self.number = number

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Take a folder that no other command has; refuse one that was typed and is in use.

        Two commands of one name that start in one second would otherwise get the same folder, and
        Hydra would write into it before anything has checked that it is free.

        Raises:
            SystemExit: after an error of one sentence; see `claimed`.
        """
        folder = Path(config.hydra.run.dir)
        typed = any(text.split("=")[0] == "hydra.run.dir" for text in config.hydra.overrides.hydra)
        if typed:
            if folder.is_dir() and is_first_process():
                with one_sentence(), claimed(folder, resume=config.get("resume") is not None):
                    pass
        elif self.number:
            _choose(config, folder)


def _choose(config: DictConfig, folder: Path) -> None:
    with read_write(config), open_dict(config):
        config.hydra.run.dir = str(_made(folder))


def _made(folder: Path) -> Path:
    """Make a folder, with a number behind its name if there is one of this name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path
