"""Each scorer's own order of the completions, and the way through it.

The order, the targets and the duplicates mixed in depend on the scorer's name and on the images
alone, so that a stopped scoring goes on where it was, also after more runs have finished.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from math import ceil

from inpainting.scoring.items import Item
from inpainting.scoring.scores import Score, append_score, latest, read_scores, score_path

SEED = 2020  # of the order; a constant, as another one would start everybody's order anew
GAP = 20  # images between a completion and its duplicate; half of them all where there are few


def _chance(scorer: str, purpose: str, item: Item) -> bytes:
    """A number of the item's own, so that the order of the others stays when more are added."""
    return sha256(repr((SEED, scorer, purpose, *item.name)).encode()).digest()


def order(
    completions: Sequence[Item], scorer: str, targets: float, duplicates: float
) -> list[Item]:
    """The order in which a scorer meets all images.

    Args:
        completions: all of them
        scorer: whose order
        targets: true images mixed in, as a share of the completions; each at most once
        duplicates: completions that come again, as a share of the completions
    """
    groups: dict[bytes, list[Item]] = {}
    for item in completions:
        groups.setdefault(sha256(item.file("target").read_bytes()).digest(), []).append(item)
    true = [min(group, key=lambda i: _chance(scorer, "target", i)) for group in groups.values()]
    true.sort(key=lambda item: _chance(scorer, "target", item))
    chosen = [replace(item, kind="target") for item in true[: ceil(targets * len(completions))]]
    mixed = sorted([*completions, *chosen], key=lambda item: _chance(scorer, "order", item))
    gap = min(GAP, len(mixed) // 2)
    # Far enough behind the first showing not to be remembered, and not all of them at the end:
    # whoever stops half way has met some.
    places = {item: float(place) for place, item in enumerate(mixed)}
    again = [item for item in mixed[: len(mixed) - gap] if item.kind == "completion"]
    again.sort(key=lambda item: _chance(scorer, "duplicate", item))
    for item in again[: ceil(duplicates * len(completions))]:
        places[replace(item, kind="duplicate")] = places[item] + gap + 0.5
    return sorted(places, key=places.__getitem__)


class Session:
    """One scorer's way through the images; what was given is read from the files each time.

    Args:
        scorer: name of the person
        items: all images in this scorer's order

    Raises:
        InputError: the name cannot be a file's.
    """

    def __init__(self, scorer: str, items: Sequence[Item]):
        self.scorer = scorer
        self.items = {_chance(scorer, "token", item).hex()[:16]: item for item in items}
        self.paths = {item.home: score_path(item.home, scorer) for item in items}

    def given(self) -> dict[str, Score]:
        """Token to the score that counts, the last one, in the order of the first ones."""
        tokens = {item.name: token for token, item in self.items.items()}
        counting = sorted(latest(self._all()), key=lambda score: score.item)
        named = {(score.kind, *score.shown): score for score in counting}
        return {tokens[name]: score for name, score in named.items() if name in tokens}

    def _all(self) -> list[Score]:
        return [score for path in self.paths.values() for score in read_scores(path)]

    def record(self, token: str, local_score: int, global_score: int) -> None:
        """Write a score down; a second one of the same image corrects the first.

        Raises:
            InputError: it is no whole number from 1 to 10.
        """
        earlier = self.given().get(token)
        number = 1 + max((s.item for s in self._all()), default=-1)
        item, now = self.items[token], datetime.now().astimezone().isoformat(timespec="seconds")
        number = number if earlier is None else earlier.item
        what = item.kind, item.row, item.seed, item.index
        marks = local_score, global_score
        score = Score(now, number, *what, *marks, item.place, item.image)
        append_score(self.paths[item.home], score)
