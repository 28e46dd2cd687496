"""What an interrupted `predict` has filled, so that the same command goes on from there.

A file in the folder of the results lists them while the command runs; it is removed at the end.
"""

import json
from pathlib import Path
from typing import Any

from inpainting.filling.pairs import Filling

NAME = ".unfinished.jsonl"


class Unfinished:
    """The list of what is filled, in the folder of the results.

    Args:
        folder: of the results
        settings: what the results depend on; a list of other settings is not continued
        samples: of each image

    Attributes:
        continues: True if the folder has the list of an interrupted command of these settings
        done: what that command has filled
    """

    def __init__(self, folder: Path, settings: dict[str, Any], samples: int):
        self.path, self.samples = folder / NAME, samples
        self.settings = json.dumps({"settings": settings}, sort_keys=True)
        self.done: set[str] = set()
        self.continues = False
        if self.path.is_file():
            first, *lines = self.path.read_text().splitlines() or [""]
            self.continues = first == self.settings
            self.done = set(lines) if self.continues else set()

    def has(self, filling: Filling) -> bool:
        """Return True if an image was filled, and neither it nor its mask has changed since."""
        there = all(path.is_file() for path in filling.outputs(self.samples))
        return there and _line(filling) in self.done

    def begin(self) -> None:
        """Start the list, or go on with it."""
        if not self.continues:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(f"{self.settings}\n")

    def add(self, filling: Filling) -> None:
        """Note that the results of an image are written."""
        with open(self.path, "a") as file:
            file.write(f"{_line(filling)}\n")

    def end(self) -> None:
        """Remove the list: all is filled."""
        self.path.unlink(missing_ok=True)


def _line(filling: Filling) -> str:
    files = [filling.image] if filling.mask is None else [filling.image, filling.mask]
    of = [[str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size] for path in files]
    return json.dumps({"out": filling.out.name, "of": of})
