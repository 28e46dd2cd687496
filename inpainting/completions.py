"""Single completions of runs, found in their folders to be scored by eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpainting.errors import InputError
from inpainting.reporting.collect import Measured, collect

SUFFIX = "_completion.png"


@dataclass(frozen=True)
class Item:
    """One picture to be scored.

    Args:
        kind: a "completion", a "target", or a "duplicate" of a completion
        row: name of the run's setting
        seed: of the run, 0 for a method without training
        index: number of the test picture
        pictures: the run's folder of single pictures
        home: the folder whose `scores/` takes the scores
    """

    kind: str
    row: str
    seed: int
    index: int
    pictures: Path
    home: Path

    @property
    def name(self) -> tuple[str, str, int, int]:
        """What a line of the scores calls it by."""
        return self.kind, self.row, self.seed, self.index

    def file(self, kind: str) -> Path:
        """Its "target", "masked" or "completion"; what is looked at is `shown`."""
        return self.pictures / f"{self.index:05d}_{kind}.png"

    @property
    def shown(self) -> Path:
        """The picture to be scored."""
        return self.file("target" if self.kind == "target" else "completion")


def find_completions(folders: Sequence[str]) -> tuple[list[Item], dict[Path, str]]:
    """The single completions of runs, and of the methods that they were compared with.

    Args:
        folders: of sweeps, runs or evaluations

    Returns:
        the completions, and why the other runs' folders are left out

    Raises:
        InputError: no such folder, no completions at all, or two runs of one row and seed.
    """
    homes = [Path(folder) for folder in folders]
    measured, missing = collect(folders)
    left_out = {one.folder: one.reason for one in missing}
    found: dict[tuple[str, int], list[Item]] = {}
    for run in measured:
        home = next(home for home in homes if home in (run.folder, *run.folder.parents))
        items = _completions(run, home)
        if not items:
            left_out[run.folder] = "no single completions"
            continue
        other = found.setdefault((items[0].row, items[0].seed), items)
        if other is not items:
            raise InputError(
                f"{run.folder} and {other[0].pictures.parents[1]} are both row {run.row}, seed "
                f"{run.seed}, and their scores could not be told apart: score them in separate "
                "commands"
            )
    if not found:
        raise InputError(
            f"{homes[0]}: no finished run in it has single completions "
            f"(pictures/test/*{SUFFIX}); train or evaluate with callbacks.saved.count=16"
        )
    return [item for items in found.values() for item in items], left_out


def _completions(run: Measured, home: Path) -> list[Item]:
    pictures = run.folder / "pictures" / "test"
    indices = [int(path.name.removesuffix(SUFFIX)) for path in sorted(pictures.glob(f"*{SUFFIX}"))]
    # What is not trained has no seed, and a score has a number there.
    items = [Item("completion", run.row, run.seed or 0, i, pictures, home) for i in indices]
    for item in items:
        for path in (item.file("target"), item.file("masked")):
            if not path.is_file():
                raise InputError(f"{path} is missing beside its completion: test this run again")
    return items
