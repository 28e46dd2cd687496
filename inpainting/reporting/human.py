"""Scores that people gave, averaged for each row."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from inpainting.reporting.agreement import Checked, Pair, agreement, check_scorer, mean_scores
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Measured
from inpainting.scoring.items import images_of
from inpainting.scoring.scores import Score, latest, read_all_scores


@dataclass(frozen=True)
class Judged:
    """The scores that people gave to one row's completions.

    Args:
        local_score: score of the hole and its border, averaged over images and then over scorers,
            1 to 10
        global_score: score of the whole image, averaged in the same way, 1 to 10
        number: number of scores
        scorers: number of people who gave them
        agreement: Krippendorff's alpha of the scorers' averages of local and global; NaN for one
            scorer
        apart: distance between two scorers' averages of an image, in points, averaged over images
            and then over pairs of scorers; NaN for one scorer
    """

    local_score: float
    global_score: float
    number: int
    scorers: int
    agreement: float
    apart: float

    @property
    def average(self) -> float:
        """The average of local and global, as in report 004."""
        return (self.local_score + self.global_score) / 2


class Panel:
    """All scores of a set of runs whose images still exist.

    Args:
        homes: folders whose scores/ may hold scores of the runs in or below them, and the folders
            of the runs

    Raises:
        InputError: a file of scores cannot be read.
    """

    def __init__(self, homes: Iterable[Path]):
        self.homes = sorted(set(homes))
        self.scores: dict[str, list[tuple[Path, Score]]] = defaultdict(list)
        self.gone: Counter[str] = Counter()  # scorer to number of scores whose image is gone
        self._images: dict[Path, set[tuple[int, str]]] = {}
        for home in self.homes:
            for scorer, scores in read_all_scores(home).items():
                for score in latest(scores):
                    if self._image_exists(home, score):
                        self.scores[scorer].append((home, score))
                    else:
                        self.gone[scorer] += 1

    def __bool__(self) -> bool:
        return any(self.scores.values())

    def of(self, row: Row) -> Judged | None:
        """Return the scores of a row's completions; None if there are none."""
        given: dict[str, dict[tuple, Pair]] = {}
        for scorer, scores in self.scores.items():
            own = {
                (str(run.folder), score.index): (score.local_score, score.global_score)
                for run in row.runs
                for home, score in scores
                if score.kind == "completion" and self._is_of(run, home, score)
            }
            if own:
                given[scorer] = own
        if not given:
            return None
        means = np.mean([mean_scores(scores.values()) for scores in given.values()], axis=0)
        number = sum(len(scores) for scores in given.values())
        return Judged(float(means[0]), float(means[1]), number, len(given), *agreement(given))

    def notes(self) -> list[str]:
        """Say which scores are left out; an empty list if none are."""
        if not self.gone:
            return []
        return [
            "Scores of images that no longer exist, because their run was deleted or repeated, are "
            f"left out: {_counts(self.gone)}."
        ]

    def agreement(self) -> tuple[float, float, int]:
        """Compare scorers over all rows.

        Returns:
            Krippendorff's alpha, the distance in points, and the number of images that two
            people scored, summed over pairs of people
        """
        given = self._completions()
        common = sum(len(a.keys() & b.keys()) for a, b in combinations(given.values(), 2))
        return *agreement(given), common

    def checks(self) -> list[Checked]:
        """Return how each scorer judged targets and duplicates."""
        return [check_scorer(name, [s for _, s in scores]) for name, scores in self.scores.items()]

    def _completions(self) -> dict[str, dict[tuple, Pair]]:
        """Return the scores of completions, from scorer to image to scores."""
        return {
            scorer: {
                score.shown: (score.local_score, score.global_score)
                for _, score in scores
                if score.kind == "completion"
            }
            for scorer, scores in self.scores.items()
        }

    def _image_exists(self, home: Path, score: Score) -> bool:
        """Return True if the image is still where it was scored, or in another of the runs."""
        places = (home / score.folder, *self.homes)
        return any(self._shows(place, score) for place in places)

    def _is_of(self, run: Measured, home: Path, score: Score) -> bool:
        # A method without training has no seed; its scores are stored under seed 0.
        if (score.row, score.seed) != (run.row, run.seed or 0):
            return False
        # The folder is not compared: the same measurement may lie in several folders of a sweep.
        return self._shows(run.folder, score)

    def _shows(self, folder: Path, score: Score) -> bool:
        if folder not in self._images:
            self._images[folder] = images_of(folder)
        return (score.index, score.image) in self._images[folder]


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} by {name}" for name, number in numbers.items() if number)
