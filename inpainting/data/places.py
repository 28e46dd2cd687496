"""Places365 (Zhou et al., 2018), in the layout of its standard release.

categories_places365.txt       one line per category: /a/airfield 0
places365_train_standard.txt   data_256_standard/a/airfield/00000001.jpg
places365_val.txt              val_256/Places365_val_00000001.jpg

These are the images of 256x256 px; the large ones lie in data_large_standard and val_large.
"""

import difflib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torchvision.datasets import Places365
from torchvision.datasets.utils import extract_archive

from inpainting.data.arrays import is_prepared
from inpainting.data.decoded import DecodedDataModule
from inpainting.data.download import download, extract
from inpainting.data.listing import Listing, file_version
from inpainting.errors import InputError, check_choice

log = logging.getLogger(__name__)

CATEGORIES = "categories_places365.txt"
LISTS = {"train": "places365_train_standard.txt", "val": "places365_val.txt"}
NAMES = {"train": "train-standard", "val": "val"}  # of the sources in torchvision
# For each size and source: the folder of the files, and its name in the archive.
FOLDERS = {
    "small": {"train": ("data_256_standard", "data_256"), "val": ("val_256", "val_256")},
    "large": {"train": ("data_large_standard", "data_large"), "val": ("val_large", "val_large")},
}


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the lines of a list of Places365, which are pairs of a name and a number."""
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    name, number = line.rsplit(maxsplit=1)
                    yield name, int(number)
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
        categories: names as in categories_places365.txt, without the leading letter (/a/); none
            takes all 365
        sources: official parts of Places365 to take images from: "train", "val" or both
        size: "small" (256x256 px) or "large" (the shorter side has 512 px or more)
        download: download missing files, whose addresses and checksums torchvision knows
        root: the folder of Places365, or several; or a folder in the prepared format
        prepared: a folder in the prepared format, read instead of `root`
        **kwargs: arguments of `DecodedDataModule`

    Raises:
        InputError: `sources` is empty, or a source or the size is unknown.
    """

    def __init__(
        self,
        *,
        categories: Sequence[str],
        sources: Sequence[str] = ("train",),
        size: str = "small",
        download: bool = False,
        root: str | Path | Sequence[str | Path] | None = None,
        prepared: str | Path | None = None,
        **kwargs: Any,
    ):
        super().__init__(root=prepared if prepared is not None else root, **kwargs)
        check_choice("data.size", size, tuple(FOLDERS))
        if not sources or not set(sources) <= set(LISTS):
            raise InputError(f"data.sources={list(sources)}: type [train], [val] or [train,val]")
        self.categories, self.sources, self.size = list(categories), list(sources), size
        self.download = download

    def fetch(self) -> None:
        """Download what is missing of Places365 if `download` is set.

        Raises:
            InputError: the download fails, or several roots are given.
        """
        if not self.download or self.root is None or is_prepared(self.root):
            return
        if len(self.roots) > 1:
            raise InputError("data.download=true needs one folder to download to: type one root")
        self.root.mkdir(parents=True, exist_ok=True)
        address = Places365._BASE_URL
        lists = [CATEGORIES, *(LISTS[source] for source in self.sources)]
        if not all((self.root / name).exists() for name in lists):
            archive, md5 = Places365._DEVKIT_META["standard"]
            download(address + archive, self.root / archive, md5)
            extract_archive(str(self.root / archive), str(self.root))
        for source in self.sources:
            folder, inner = FOLDERS[self.size][source]
            if not (self.root / folder).exists():
                archive, md5 = Places365._IMAGES_META[NAMES[source], self.size == "small"]
                download(address + archive, self.root / archive, md5)
                log.info("%s is extracted", archive)
                extract(self.root / archive, inner, self.root / folder)

    def listing(self) -> Listing:
        """List the images of the chosen categories that are on disk.

        Raises:
            InputError: a category is unknown, a list is missing, or no listed image is on disk.
        """
        names = self._category_names()
        files, classes, versions, absent = [], [], [], 0
        for source in self.sources:
            folder = FOLDERS[self.size][source][0]
            for name, number in _lines(self.root / LISTS[source]):
                if number not in names:
                    continue
                file = f"{folder}/{name.lstrip('/')}"
                try:  # joined as text, which for a million files is much faster than as paths
                    versions.append(file_version(f"{self.root}/{file}"))
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
            for name, number in _lines(self.root / CATEGORIES)
        }
        for category in self.categories:
            if category not in numbers:
                near = difflib.get_close_matches(category, numbers, n=3, cutoff=0.4)
                raise InputError(
                    f"data.categories: Places365 has no category {category!r}; the nearest names "
                    f"are {', '.join(near) or 'none: see categories_places365.txt'}"
                )
        return {numbers[category]: category for category in self.categories or numbers}
