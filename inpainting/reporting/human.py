"""What people scored: means for each row."""

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
    """What people made of one row's completions.

    Args:
        local_score: mean over images, then over scorers, 1 to 10
        global_score: the same of the whole image
        number: scores given
        scorers: people who gave them
        agreement: Spearman's coefficient of two scorers' averages over the images that both
            scored, mean over pairs of scorers; NaN for one scorer
        apart: how far two scorers' averages of an image are apart, in points; NaN for one scorer
    """

    local_score: float
    global_score: float
    number: int
    scorers: int
    agreement: float
    apart: float

    @property
    def average(self) -> float:
        """Of local and global, as in report 004."""
        return (self.local_score + self.global_score) / 2


class Panel:
    """All scores that were given to some runs and whose images are still there.

    Args:
        homes: folders whose scores/ may hold some, and the runs' own; they are scores of the runs
            in or below them

    Raises:
        InputError: a file of scores cannot be read.
    """

    def __init__(self, homes: Iterable[Path]):
        self.homes = sorted(set(homes))
        self.scores: dict[str, list[tuple[Path, Score]]] = defaultdict(list)
        self.gone: Counter[str] = Counter()  # scorer to scores of images that are no longer there
        self._images: dict[Path, set[tuple[int, str]]] = {}
        for home in self.homes:
            for scorer, scores in read_all_scores(home).items():
                for score in latest(scores):
                    if self._is_there(home, score):
                        self.scores[scorer].append((home, score))
                    else:
                        self.gone[scorer] += 1

    def __bool__(self) -> bool:
        return any(self.scores.values())

    def of(self, row: Row) -> Judged | None:
        """Scores of a row's completions; None where there are none."""
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
        """Which scores are left out; none where all is well."""
        found = []
        if self.gone:
            found.append(
                "Left out are scores of images that are no longer there, as their run was "
                f"deleted or made anew: {_counts(self.gone)}."
            )
        return found

    def agreement(self) -> tuple[float, float, int]:
        """Over all rows: Spearman's coefficient, points apart, and images scored by two."""
        given = self._completions()
        common = sum(len(a.keys() & b.keys()) for a, b in combinations(given.values(), 2))
        return *agreement(given), common

    def checks(self) -> list[Checked]:
        """One for each scorer."""
        return [check_scorer(name, [s for _, s in scores]) for name, scores in self.scores.items()]

    def _completions(self) -> dict[str, dict[tuple, Pair]]:
        """Scorer to image to scores."""
        return {
            scorer: {
                score.shown: (score.local_score, score.global_score)
                for _, score in scores
                if score.kind == "completion"
            }
            for scorer, scores in self.scores.items()
        }

    def _is_there(self, home: Path, score: Score) -> bool:
        """Whether its image still lies where it was scored, or in another of the runs."""
        places = (home / score.folder, *self.homes)
        return any(self._shows(place, score) for place in places)

    def _is_of(self, run: Measured, home: Path, score: Score) -> bool:
        if (score.row, score.seed) != (run.row, run.seed or 0):  # without training there is none
            return False
        # By the image, as the same measurement may lie in several folders of a sweep.
        return self._shows(run.folder, score)

    def _shows(self, folder: Path, score: Score) -> bool:
        if folder not in self._images:
            self._images[folder] = images_of(folder)
        return (score.index, score.image) in self._images[folder]


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} of {name}" for name, number in numbers.items() if number)
