"""How far scores can be trusted: agreement of scorers, and their scores of mixed-in images."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import krippendorff
import numpy as np
import pandas as pd

from inpainting.scoring.scores import Score

Pair = tuple[float, float]  # local, global


@dataclass(frozen=True)
class Checked:
    """How a scorer judged targets and duplicates.

    Args:
        scorer: name of the scorer
        number: number of completions that the scorer judged
        target: mean local and global score of the true images
        targets: number of true images
        repeat: mean distance between the two scores of one image, local and global, in points
        repeats: number of images that were scored twice
    """

    scorer: str
    number: int
    target: Pair
    targets: int
    repeat: Pair
    repeats: int


def mean_scores(pairs: Iterable[Pair]) -> Pair:
    """Return the means of the local and of the global scores; NaN for no scores."""
    values = np.array(list(pairs), dtype=float).reshape(-1, 2)
    return tuple(values.mean(axis=0).tolist()) if len(values) else (float("nan"), float("nan"))


def agreement(given: Mapping[str, Mapping[tuple, Pair]]) -> tuple[float, float]:
    """Compare the average of local and global that scorers gave to the same images.

    Args:
        given: scorer to image to scores

    Returns:
        Krippendorff's alpha for interval data (1: all agree; 0: as by chance), and the mean
        distance of two scorers in points; NaN where no image has two scores or all are equal
    """
    scores = pd.DataFrame(
        [
            (scorer, image, np.mean(pair))
            for scorer, pairs in given.items()
            for image, pair in pairs.items()
        ],
        columns=["scorer", "image", "score"],
    ).pivot(index="scorer", columns="image", values="score")
    scores = scores.loc[:, scores.count() > 1]
    distances = [(scores.loc[a] - scores.loc[b]).abs().mean() for a, b in combinations(given, 2)]
    known = [distance for distance in distances if not np.isnan(distance)]
    alpha = float("nan")
    if np.unique(scores.stack()).size > 1:
        alpha = float(krippendorff.alpha(scores.to_numpy(), level_of_measurement="interval"))
    return alpha, float(np.mean(known)) if known else float("nan")


def check_scorer(scorer: str, scores: Sequence[Score]) -> Checked:
    """Summarise how one scorer judged the targets and duplicates that were mixed in."""
    kinds = defaultdict(list)
    for score in scores:
        kinds[score.kind].append(score)
    first = {score.shown: score for score in kinds["completion"]}
    repeats = [(first[s.shown], s) for s in kinds["duplicate"] if s.shown in first]
    distances = [
        (abs(a.local_score - b.local_score), abs(a.global_score - b.global_score))
        for a, b in repeats
    ]
    targets = [(score.local_score, score.global_score) for score in kinds["target"]]
    return Checked(
        scorer,
        len(kinds["completion"]),
        mean_scores(targets),
        len(targets),
        mean_scores(distances),
        len(repeats),
    )
