"""Single completions of runs, found in their folders to be scored by eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from inpainting.errors import InputError
from inpainting.images.saved import FOLDER, saved_image, saved_indices
from inpainting.runs.collect import Measured, collect


@dataclass(frozen=True)
class Item:
    """One image to be scored.

    Args:
        kind: a "completion", a "target", or a "duplicate" of a completion
        row: name of the run's setting
        seed: of the run, 0 for a method without training
        index: number of the test image
        folder: the run's
        home: the folder whose `scores/` takes the scores; the run's or one above it
    """

    kind: str
    row: str
    seed: int
    index: int
    folder: Path
    home: Path

    @property
    def name(self) -> tuple[str, str, int, int, str]:
        """What makes it the same item: runs can share row and seed, but not what they drew."""
        return self.kind, self.row, self.seed, self.index, self.image

    @property
    def place(self) -> str:
        """The run's folder as seen from the scores' home."""
        return self.folder.relative_to(self.home).as_posix()

    @cached_property
    def image(self) -> str:
        """Short hash of what is shown."""
        return _fingerprint(self.shown, self.file("masked"))

    def file(self, kind: str) -> Path:
        """Its "target", "masked" or "completion"; what is looked at is `shown`."""
        return saved_image(self.folder / FOLDER, self.index, kind)

    @property
    def shown(self) -> Path:
        """The image to be scored."""
        return self.file("target" if self.kind == "target" else "completion")


def images_of(folder: Path) -> set[tuple[int, str]]:
    """Index and `Item.image` of all that could be shown of a run as it lies there now."""
    found = set()
    for index in saved_indices(folder / FOLDER, "completion"):
        masked, *shown = (
            saved_image(folder / FOLDER, index, kind) for kind in ("masked", "completion", "target")
        )
        found |= {
            (index, _fingerprint(p, masked)) for p in shown if p.is_file() and masked.is_file()
        }
    return found


def find_completions(folders: Sequence[str]) -> tuple[list[Item], dict[Path, str]]:
    """The single completions of runs, and of the methods that they were compared with.

    Args:
        folders: of sweeps, runs or evaluations

    Returns:
        the completions, each image of a row and seed once, and why the other runs' folders
        are left out

    Raises:
        InputError: no such folder, or no completions at all.
    """
    homes = [Path(folder) for folder in folders]
    measured, missing = collect(folders)
    left_out = {one.folder: one.reason for one in missing}
    found: dict[tuple, Item] = {}
    for run in measured:
        home = next(home for home in homes if home in (run.folder, *run.folder.parents))
        items = _completions(run, home)
        if not items:
            left_out[run.folder] = "no single completions"
            continue
        new = {item.name: item for item in items if item.name not in found}
        if not new:  # such as the best checkpoint where it is the last one, too
            same = found[items[0].name].folder
            left_out[run.folder] = f"the same images as in {same}, whose scores count for both"
        found |= new
    if not found:
        raise InputError(
            f"{homes[0]}: no finished run in it has single completions "
            f"({FOLDER}/*_completion.png); train or evaluate with callbacks.images.count=16"
        )
    return list(found.values()), left_out


def _completions(run: Measured, home: Path) -> list[Item]:
    # What is not trained has no seed, and a score has a number there.
    kind, seed = "completion", run.seed or 0
    indices = saved_indices(run.folder / FOLDER, kind)
    items = [Item(kind, run.row, seed, index, run.folder, home) for index in indices]
    for item in items:
        for path in (item.file("target"), item.file("masked")):
            if not path.is_file():
                raise InputError(f"{path} is missing beside its completion: test this run again")
    return items


def _fingerprint(shown: Path, masked: Path) -> str:
    # With its hole: where there is nothing but background, other holes leave the same completion.
    contents = (sha256(path.read_bytes()).digest() for path in (shown, masked))
    return sha256(b"".join(contents)).hexdigest()[:12]
