"""Scores that people gave: one csv file a scorer, a line appended for each score as it is given.

Report 004 scored completions by eye, locally and globally, from 1 to 10; so does this.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from inpainting.errors import InputError

FOLDER = "scores"
COLUMNS = ("time", "item", "kind", "row", "seed", "index", "local", "global", "folder", "image")
KINDS = ("completion", "target", "duplicate")
LOWEST, HIGHEST = 1, 10


@dataclass(frozen=True)
class Score:
    """One image as one person judged it.

    Args:
        time: when, as ISO 8601
        item: number of the image in the scorer's own order, from 0
        kind: a "completion", its true "target", or a "duplicate" of an earlier completion
        row: name of the setting that made it; what a target is shown for
        seed: of the run that made it
        index: number of the test image
        local_score: how good the hole and its border look, 1 to 10
        global_score: how good the whole image looks, 1 to 10
        folder: the run's, as seen from the folder that holds scores/
        image: short hash of what was shown

    Raises:
        InputError: an unknown kind, or a score outside 1 to 10
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
            raise InputError(f"kind={self.kind!r} is none of {', '.join(KINDS)}")
        for name, score in (("local", self.local_score), ("global", self.global_score)):
            if not LOWEST <= score <= HIGHEST:
                raise InputError(f"{name}={score}: a score is from {LOWEST} to {HIGHEST}")

    @property
    def shown(self) -> tuple[str, int, int, str]:
        """What makes two lines scores of the same image: row, seed, index and the image."""
        return self.row, self.seed, self.index, self.image


def score_path(sweep: Path, scorer: str) -> Path:
    """The file of a scorer.

    Raises:
        InputError: a name that is no plain file name.
    """
    if not re.fullmatch(r"\w[\w.-]*", scorer):
        raise InputError(
            f"scorer={scorer!r}: type a name of letters, digits, points, hyphens and underscores"
        )
    return sweep / FOLDER / f"{scorer}.csv"


def append_score(path: Path, score: Score) -> None:
    """Add a line, with the header before the first; whole as soon as it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        one = score
        writer.writerow(
            [one.time, one.item, one.kind, one.row, one.seed, one.index]
            + [one.local_score, one.global_score, one.folder, one.image]
        )


def read_scores(path: Path) -> list[Score]:
    """The scores of one person, in the order they were given; none where the file is missing.

    Raises:
        InputError: names the file and the line that cannot be read.
    """
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            raise InputError(f"{path}, line 1: the columns are not {','.join(COLUMNS)}")
        return [_score(path, reader.line_num, line) for line in reader if line]


def read_all_scores(sweep: Path) -> dict[str, list[Score]]:
    """Scorer to scores, of a sweep's folder; empty where nobody scored it."""
    return {path.stem: read_scores(path) for path in sorted((sweep / FOLDER).glob("*.csv"))}


def latest(scores: list[Score]) -> list[Score]:
    """One score an image and kind: where someone corrected a score, the last counts."""
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
