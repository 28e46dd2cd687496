"""Places365 (Zhou et al., 2018), in the layout of its standard release at 256x256 px.

categories_places365.txt       one line per category: /a/airfield 0
places365_train_standard.txt   data_256_standard/a/airfield/00000001.jpg
places365_val.txt              val_256/Places365_val_00000001.jpg
"""

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchvision.datasets import Places365

from inpainting.data.arrays import is_prepared
from inpainting.data.decoded import DecodedDataModule, Listing, file_version
from inpainting.errors import InputError

log = logging.getLogger(__name__)

# For each source: its list of files, the folder of the files, and its name in torchvision.
SOURCES = {
    "train": ("places365_train_standard.txt", "data_256_standard", "train-standard"),
    "val": ("places365_val.txt", "val_256", "val"),
}


def _lines(path: Path) -> list[tuple[str, int]]:
    """Read a list of Places365, whose lines are pairs of a name and a number."""
    try:
        with open(path, encoding="utf-8") as lines:
            pairs = [line.rsplit(maxsplit=1) for line in lines if line.strip()]
        return [(name, int(number)) for name, number in pairs]
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist: type data.root=PATH, the folder of Places365, "
            "or data.download=true to download it"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{path} is not a list of Places365 ({error}): download it again"
        ) from error


class PlacesDataModule(DecodedDataModule):
    """Chosen categories of Places365, with a train, val and test split of our own.

    Images that are listed but not on disk are left out with a warning, so that a part of Places365
    is enough.

    Args:
        categories: names as in categories_places365.txt, without the leading letter (/a/)
        sources: official parts of Places365 to take images from: "train", "val" or both
        download: download missing files through torchvision, tens of gigabytes
        root: the folder of Places365, or a folder in the prepared format
        prepared: a folder in the prepared format, read instead of `root`
        **kwargs: arguments of `DecodedDataModule`

    Raises:
        InputError: `sources` or `categories` is empty, or a source is unknown.
    """

    def __init__(
        self,
        *,
        categories: Sequence[str],
        sources: Sequence[str] = ("train",),
        download: bool = False,
        root: str | Path | None = None,
        prepared: str | Path | None = None,
        **kwargs: Any,
    ):
        super().__init__(root=prepared if prepared is not None else root, **kwargs)
        if not sources or not set(sources) <= set(SOURCES):
            raise InputError(f"data.sources={list(sources)}: type [train], [val] or [train,val]")
        if not categories:
            raise InputError("data.categories is empty: type at least one category of Places365")
        self.categories, self.sources = list(categories), list(sources)
        self.download = download

    def prepare_data(self) -> None:
        """Download Places365 if `download` is set, then decode.

        Raises:
            InputError: the download fails, or decoding does.
        """
        if self.download and self.root is not None and not is_prepared(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            for source in self.sources:
                name = SOURCES[source][2]
                try:
                    Places365(self.root, split=name, small=True, download=True)
                except (OSError, RuntimeError) as error:
                    raise InputError(
                        f"Places365 cannot be downloaded to {self.root} ({error}): try again, or "
                        "put the files there by hand and type data.download=false"
                    ) from error
        super().prepare_data()

    def listing(self) -> Listing:
        """List the images of the chosen categories that are on disk.

        Raises:
            InputError: a category is unknown, a list is missing, or no listed image is on disk.
        """
        names = self._category_names()
        files, classes, versions, absent = [], [], [], 0
        for source in self.sources:
            lines, folder, _ = SOURCES[source]
            for name, number in _lines(self.root / lines):
                if number not in names:
                    continue
                file = f"{folder}/{name.lstrip('/')}"
                try:
                    versions.append(file_version(self.root / file))
                except FileNotFoundError:
                    absent += 1
                    continue
                files.append(file)
                classes.append(names[number])
        if not files:
            raise InputError(
                f"{self.root} has none of the {absent} images that its lists name for these "
                "categories: type data.root=PATH, or data.download=true to download them"
            )
        if absent:
            log.warning(
                "%d of %d listed images are not in %s", absent, absent + len(files), self.root
            )
        return Listing(self.root, files, classes, versions)

    def _category_names(self) -> dict[int, str]:
        """Return a dict from number to name of the chosen categories."""
        numbers = {
            name[3:]: number  # /d/desert/sand -> desert/sand
            for name, number in _lines(self.root / "categories_places365.txt")
        }
        for category in self.categories:
            if category not in numbers:
                near = difflib.get_close_matches(category, numbers, n=3, cutoff=0.4)
                raise InputError(
                    f"data.categories: Places365 has no category {category!r}; the nearest names "
                    f"are {', '.join(near) or 'none: see categories_places365.txt'}"
                )
        return {numbers[category]: category for category in self.categories}
