"""Saved completions of runs, found in their folders to be scored by eye."""

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
        seed: seed of the run, 0 for a method without training
        index: number of the test image
        folder: folder of the run
        home: folder whose `scores/` takes the scores, which is the run's folder or one above it
    """

    kind: str
    row: str
    seed: int
    index: int
    folder: Path
    home: Path

    @property
    def name(self) -> tuple[str, str, int, int, str]:
        """What identifies the item; runs may share row and seed, but not the image."""
        return self.kind, self.row, self.seed, self.index, self.image

    @property
    def place(self) -> str:
        """The folder of the run relative to `home`."""
        return self.folder.relative_to(self.home).as_posix()

    @cached_property
    def image(self) -> str:
        """A short hash of the image that is shown and of its hole."""
        return _fingerprint(self.shown, self.file("masked"))

    def file(self, kind: str) -> Path:
        """Return the file of the item's "target", "masked" or "completion"."""
        return saved_image(self.folder / FOLDER, self.index, kind)

    @property
    def shown(self) -> Path:
        """The file of the image to be scored: the target for a target, else the completion."""
        return self.file("target" if self.kind == "target" else "completion")


def images_of(folder: Path) -> set[tuple[int, str]]:
    """Return the index and `Item.image` of every image in a run's folder that can be scored."""
    found = set()
    for index in saved_indices(folder / FOLDER, "completion"):
        masked, *shown = (
            saved_image(folder / FOLDER, index, kind) for kind in ("masked", "completion", "target")
        )
        found |= {
            (index, _fingerprint(path, masked))
            for path in shown
            if path.is_file() and masked.is_file()
        }
    return found


def find_completions(folders: Sequence[str]) -> tuple[list[Item], dict[Path, str]]:
    """Find the saved completions of runs and of the methods they were compared with.

    Args:
        folders: folders of sweeps, runs or evaluations

    Returns:
        the completions, each image of a row and seed once; and the folders of the other runs, with
        the reason why each is left out

    Raises:
        InputError: a folder does not exist, an image beside a completion is missing, or no run has
            saved completions.
    """
    homes = [Path(folder) for folder in folders]
    measured, missing = collect(folders)
    left_out = {job.folder: job.reason for job in missing}
    found: dict[tuple, Item] = {}
    for run in measured:
        home = next(home for home in homes if home in (run.folder, *run.folder.parents))
        items = _completions(run, home)
        if not items:
            left_out[run.folder] = "no saved completions"
            continue
        new = {item.name: item for item in items if item.name not in found}
        if not new:  # for instance where the best checkpoint is also the last
            same = found[items[0].name].folder
            left_out[run.folder] = f"the same images as in {same}, whose scores count for both"
        found |= new
    if not found:
        raise InputError(
            f"{homes[0]}: no finished run in it has saved completions "
            f"({FOLDER}/*_completion.png); train or evaluate with callbacks.images.count=16"
        )
    return list(found.values()), left_out


def _completions(run: Measured, home: Path) -> list[Item]:
    # A method without training has no seed, but a score needs a number.
    kind, seed = "completion", run.seed or 0
    indices = saved_indices(run.folder / FOLDER, kind)
    items = [Item(kind, run.row, seed, index, run.folder, home) for index in indices]
    for item in items:
        for path in (item.file("target"), item.file("masked")):
            if not path.is_file():
                raise InputError(
                    f"{path} is missing, although its completion is there; test this run again"
                )
    return items


def _fingerprint(shown: Path, masked: Path) -> str:
    # The hash covers the masked image too, since two holes in plain background may have the same
    # completion.
    contents = (sha256(path.read_bytes()).digest() for path in (shown, masked))
    return sha256(b"".join(contents)).hexdigest()[:12]
