"""Each scorer's own order of the images, and the progress through it.

The order, and which targets and duplicates are mixed in, depend only on the scorer's name and on
the images, so that a scorer who stops can continue later, even after more runs have finished.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from math import ceil

from inpainting.scoring.items import Item
from inpainting.scoring.scores import Score, append_score, latest, read_scores, score_path

SEED = 2020  # of the orders; a constant, because another seed would reshuffle every scorer's order
GAP = 20  # images between a completion and its duplicate, at most half of all images


def _sort_key(scorer: str, purpose: str, item: Item) -> bytes:
    """Return a pseudo-random key that depends on no other item.

    The items keep their order when more are added.
    """
    return sha256(repr((SEED, scorer, purpose, *item.name)).encode()).digest()


def order(
    completions: Sequence[Item], scorer: str, targets: float, duplicates: float
) -> list[Item]:
    """Return all images in the order in which a scorer sees them.

    Args:
        completions: all completions
        scorer: name of the scorer
        targets: number of true images mixed in, as a share of the completions; each true image is
            shown at most once
        duplicates: number of completions shown a second time, as a share of the completions
    """

    def key(purpose: str) -> Callable[[Item], bytes]:
        return lambda item: _sort_key(scorer, purpose, item)

    same_target: dict[bytes, list[Item]] = {}
    for item in completions:
        digest = sha256(item.file("target").read_bytes()).digest()
        same_target.setdefault(digest, []).append(item)
    true = sorted(
        (min(items, key=key("target")) for items in same_target.values()), key=key("target")
    )
    chosen = [replace(item, kind="target") for item in true[: ceil(targets * len(completions))]]
    mixed = sorted([*completions, *chosen], key=key("order"))
    gap = min(GAP, len(mixed) // 2)
    # A duplicate comes far enough behind the first showing not to be remembered. Duplicates are
    # not all at the end, so a scorer who stops half way has seen some.
    places = {item: float(place) for place, item in enumerate(mixed)}
    again = [item for item in mixed[: len(mixed) - gap] if item.kind == "completion"]
    again.sort(key=key("duplicate"))
    for item in again[: ceil(duplicates * len(completions))]:
        places[replace(item, kind="duplicate")] = places[item] + gap + 0.5
    return sorted(places, key=places.__getitem__)


class Session:
    """One scorer's progress through the images.

    The scores given so far are read from the files each time.

    Args:
        scorer: name of the scorer
        items: all images in this scorer's order

    Raises:
        InputError: the name cannot be a file name.
    """

    def __init__(self, scorer: str, items: Sequence[Item]):
        self.scorer = scorer
        self.items = {_sort_key(scorer, "token", item).hex()[:16]: item for item in items}
        self.paths = {item.home: score_path(item.home, scorer) for item in items}

    def given(self) -> dict[str, Score]:
        """Return each scored token with its last score, in the order of the first scores."""
        tokens = {item.name: token for token, item in self.items.items()}
        counting = sorted(latest(self._all()), key=lambda score: score.item)
        named = {(score.kind, *score.shown): score for score in counting}
        return {tokens[name]: score for name, score in named.items() if name in tokens}

    def _all(self) -> list[Score]:
        return [score for path in self.paths.values() for score in read_scores(path)]

    def record(self, token: str, local_score: int, global_score: int) -> None:
        """Append a score; a second score of the same image corrects the first.

        Raises:
            InputError: a score is not from 1 to 10.
        """
        item, earlier = self.items[token], self.given().get(token)
        if earlier is None:
            number = 1 + max((score.item for score in self._all()), default=-1)
        else:
            number = earlier.item
        score = Score(
            time=datetime.now().astimezone().isoformat(timespec="seconds"),
            item=number,
            kind=item.kind,
            row=item.row,
            seed=item.seed,
            index=item.index,
            local_score=local_score,
            global_score=global_score,
            folder=item.place,
            image=item.image,
        )
        append_score(self.paths[item.home], score)
