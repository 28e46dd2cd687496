"""Imagenette: ten classes of ImageNet that are easy to tell apart (J. Howard, fast.ai)."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data.arrays import is_prepared
from inpainting.data.decoded import DecodedDataModule
from inpainting.data.listing import Listing, file_version
from inpainting.errors import InputError, check_choice
from inpainting.images.listing import list_images
from inpainting.values import Share

SIZES = {"160px": "imagenette2-160", "320px": "imagenette2-320", "full": "imagenette2"}
CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


class ImagenetteDataModule(DecodedDataModule):
    """One or several classes of Imagenette in torchvision's layout.

    The official validation images are the test; validation is drawn from the training images.

    Args:
        classes: names or WordNet ids; none takes all ten
        size: the archive, "160px", "320px" or "full"
        val_share: share of the training images used for validation, in (0, 1)
        download: fetch what is missing through torchvision
        root: the folder that holds the archive's folder, such as `imagenette2-160`, or a folder in
            the prepared format
        options: keyword arguments of `DecodedDataModule`

    Raises:
        InputError: a class or the size is unknown, or the share is not between 0 and 1.
    """

    def __init__(
        self,
        *,
        classes: Sequence[str],
        size: str,
        val_share: Share,
        download: bool,
        root: str | Path | None,
        **options: Any,
    ):
        super().__init__(root=root, **options)
        check_choice("data.size", size, tuple(SIZES))
        if not 0 < val_share < 1:
            raise InputError(f"data.val_share={val_share}: type a share above 0 and below 1")
        self.classes = [_wordnet_id(name) for name in classes] or list(CLASSES)
        self.size, self.val_share, self.download = size, val_share, download

    def fetch(self) -> None:
        """Download Imagenette if `download` is set.

        Raises:
            InputError: the download fails.
        """
        if self.download and self.root is not None and not is_prepared(self.root):
            from torchvision.datasets import Imagenette

            self.root.mkdir(parents=True, exist_ok=True)
            if not (self.root / SIZES[self.size]).is_dir():  # torchvision refuses to fetch it twice
                try:
                    Imagenette(self.root, size=self.size, download=True)
                except (OSError, RuntimeError) as error:
                    raise InputError(
                        f"Imagenette cannot be downloaded to {self.root} ({error}): try again, or "
                        "put the files there by hand and type data.download=false"
                    ) from error

    def listing(self) -> Listing:
        """List the images of the chosen classes.

        Raises:
            InputError: a folder of the layout is missing or empty.
        """
        top = self.root / SIZES[self.size]
        files, classes, splits = [], [], []
        for part in ("train", "val"):
            for wordnet_id in self.classes:
                folder = top / part / wordnet_id
                found = list_images(folder) if folder.is_dir() else []
                if not found:
                    raise InputError(
                        f"{folder} has no images: type data.root=PATH, the folder that holds "
                        f"{top.name}, or data.download=true"
                    )
                files += [path.relative_to(top).as_posix() for path in found]
                classes += [CLASSES[wordnet_id]] * len(found)
                splits += ["train" if part == "train" else "test"] * len(found)
        training = np.flatnonzero(np.array(splits) == "train")
        order = np.random.default_rng(self.split_seed).permutation(training)
        for index in order[: max(1, round(self.val_share * len(training)))]:
            splits[index] = "val"
        versions = [file_version(top / file) for file in files]
        return Listing(top, files, classes, versions, splits)


def _wordnet_id(name: str) -> str:
    """Return the WordNet id of a class that is named by it or in words.

    Raises:
        InputError: there is no such class; names the nearest.
    """
    ids = {words.lower(): wordnet_id for wordnet_id, words in CLASSES.items()}
    ids |= {wordnet_id: wordnet_id for wordnet_id in CLASSES}
    key = str(name).lower().replace("_", " ")
    if key not in ids:
        near = difflib.get_close_matches(key, ids, n=2, cutoff=0.4)
        names = [text.replace(" ", "_") for text in near or ids]  # a shell needs no quotes for them
        raise InputError(
            f"data.classes: Imagenette has no class {name!r}; "
            + (f"did you mean {' or '.join(names)}?" if near else f"type any of {', '.join(names)}")
        )
    return ids[key]
