"""Scores that people gave: one CSV file for each scorer, with a line appended for each score.

As in report 004, completions are scored by eye, locally and globally, from 1 to 10.
"""

import csv
import re
from dataclasses import astuple, dataclass
from pathlib import Path

from inpainting.errors import InputError
from inpainting.runs.stored import drop_torn_line, read_lines

FOLDER = "scores"
# In the order of Score's fields.
COLUMNS = ("time", "item", "kind", "row", "seed", "index", "local", "global", "folder", "image")
KINDS = ("completion", "target", "duplicate")
LOWEST, HIGHEST = 1, 10


@dataclass(frozen=True)
class Score:
    """The score that one person gave to one image.

    Args:
        time: time of the score in ISO 8601
        item: number of the image in the order in which the scorer scored, from 0
        kind: a "completion", a true "target", or a "duplicate" of an earlier completion
        row: name of the setting that made the completion, or in whose place a target is shown
        seed: seed of that setting's run
        index: number of the test image
        local_score: how good the hole and its border look, 1 to 10
        global_score: how good the whole image looks, 1 to 10
        folder: folder of the run, relative to the folder that holds scores/
        image: short hash of the image that was shown

    Raises:
        InputError: the kind is unknown, or a score is outside 1 to 10.
    """

    time: str
    item: int
    kind: str
    row: str
    seed: int
    index: int
    local_score: int
    global_score: int
    folder: str
    image: str

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"kind={self.kind!r} is not one of {', '.join(KINDS)}")
        for name, score in (("local", self.local_score), ("global", self.global_score)):
            if not LOWEST <= score <= HIGHEST:
                raise InputError(f"{name}={score}: a score is from {LOWEST} to {HIGHEST}")

    @property
    def shown(self) -> tuple[str, int, int, str]:
        """What identifies the image that was scored: row, seed, index and hash."""
        return self.row, self.seed, self.index, self.image


def score_path(sweep: Path, scorer: str) -> Path:
    """Return the file of a scorer.

    Raises:
        InputError: the name is not a plain file name.
    """
    if not re.fullmatch(r"\w[\w.-]*", scorer):
        raise InputError(
            f"scorer={scorer!r}: type a name of letters, digits, points, hyphens and underscores"
        )
    return sweep / FOLDER / f"{scorer}.csv"


def append_score(path: Path, score: Score) -> None:
    """Append a line, after the header if the file is new; it is written when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_torn_line(path)
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        writer.writerow(astuple(score))


def read_scores(path: Path) -> list[Score]:
    """Read the scores of one person in the order they were given.

    The result is empty if there is no such file. A last line that was not written to its end is
    left out: its image is shown again.

    Raises:
        InputError: a line cannot be read; the message names the file and the line.
    """
    if not path.exists():
        return []
    header, *lines = read_lines(path) or [[]]
    if header and tuple(header) != COLUMNS:
        raise InputError(f"{path}, line 1: the columns are not {','.join(COLUMNS)}")
    return [_score(path, number, line) for number, line in enumerate(lines, 2)]


def read_all_scores(sweep: Path) -> dict[str, list[Score]]:
    """Read the scores of a sweep by scorer; empty if nobody scored it."""
    return {path.stem: read_scores(path) for path in sorted((sweep / FOLDER).glob("*.csv"))}


def latest(scores: list[Score]) -> list[Score]:
    """Return the last score for each image and kind, since later scores correct earlier ones."""
    return list({(score.kind, *score.shown): score for score in scores}.values())


def _score(path: Path, number: int, line: list[str]) -> Score:
    where = f"{path}, line {number}"
    if len(line) != len(COLUMNS):
        raise InputError(f"{where}: {len(line)} values where there are {len(COLUMNS)} columns")
    time, item, kind, row, seed, index, local_score, global_score, folder, image = line
    numbers = {"item": item, "seed": seed, "index": index}
    numbers |= {"local": local_score, "global": global_score}
    for name, text in numbers.items():
        if not re.fullmatch(r"-?\d+", text):
            raise InputError(f"{where}: {name}={text!r} is not a whole number")
    try:
        marks = int(local_score), int(global_score)
        return Score(time, int(item), kind, row, int(seed), int(index), *marks, folder, image)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
