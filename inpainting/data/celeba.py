"""CelebA: 202,599 aligned faces with 40 attributes (Liu et al. 2015, arXiv 1411.7766)."""

import hashlib
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data.arrays import SPLITS, is_prepared
from inpainting.data.decoded import DecodedDataModule
from inpainting.data.listing import Listing, file_version
from inpainting.data.splitting import split_indices
from inpainting.errors import InputError, check_choice

log = logging.getLogger(__name__)

IMAGES, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
PARTITION, IDENTITY = "list_eval_partition.txt", "identity_CelebA.txt"
LISTS = (ATTRIBUTES, PARTITION, IDENTITY)
PARTITIONS = ("official", "persons")


@dataclass(frozen=True)
class FaceWindow:
    """The part of an aligned image that report 001 keeps, for aligned images of any size.

    The report shrinks the 178x218 px of CelebA to 89x109 and cuts out 64x64 in the middle.
    """

    def __call__(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom, in pixels.

        Raises:
            InputError: the sides are not in the proportion of aligned images.
        """
        if abs(width / height - 178 / 218) > 0.02:
            raise InputError(
                f"an image of {width}x{height} px does not have the proportions of CelebA's "
                "aligned images, 178x218: type data=folder for other faces"
            )
        x, y = width / 89, height / 109
        return 12 * x, 22 * y, 76 * x, 86 * y


def _lines(path: Path) -> list[list[str]]:
    """Return the words of each line of one of CelebA's lists.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): type data.root=PATH, the folder with {IMAGES} and "
            f"{ATTRIBUTES}, or data.download=true to download CelebA there"
        ) from error


class CelebADataModule(DecodedDataModule):
    """CelebA in its official layout, or a subset of it; the attributes keep their official names.

    `root` holds `img_align_celeba/`, `list_attr_celeba.txt` and `list_eval_partition.txt`, or a
    folder `celeba` with these, which is torchvision's layout. Images that are listed and not there
    are left out and counted.

    Args:
        root: see above, or a folder in the prepared format
        download: fetch what is missing through torchvision
        partition: "official" takes the splits from `list_eval_partition.txt`; "persons" draws them
            with `split_seed` and `shares`, so that nobody of `identity_CelebA.txt` is in two
        options: keyword arguments of `DecodedDataModule`

    Raises:
        InputError: the partition is unknown.
    """

    def __init__(self, *, root: str | Path | None, download: bool, partition: str, **options: Any):
        super().__init__(root=root, **options)
        check_choice("data.partition", partition, PARTITIONS)
        self.download, self.partition = download, partition

    def fetch(self) -> None:
        """Download CelebA if `download` is set.

        Raises:
            InputError: the download fails.
        """
        if self.download and self.root is not None and not is_prepared(self.root):
            from torchvision.datasets import CelebA

            if find_spec("gdown") is None:
                raise InputError(
                    "data.download=true needs gdown, because CelebA lies on Google Drive: type "
                    "pip install 'inpainting[celeba]'"
                )
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                CelebA(str(self.root), split="all", download=True)
            except (OSError, RuntimeError, ValueError) as error:
                raise InputError(
                    f"CelebA cannot be downloaded to {self.root} ({error}): try again, or put the "
                    "files there by hand and type data.download=false"
                ) from error

    @property
    def _files(self) -> Path:
        """The folder of the lists and of the images' folder."""
        inner = self.root / "celeba"
        return inner if (inner / ATTRIBUTES).exists() else self.root

    def listing(self) -> Listing:
        """List the images that have attributes and a split.

        Raises:
            InputError: a list is missing or broken, or none of the listed images is there.
        """
        self._compare_checksums()
        names, attributes = self._attributes()
        splits = self._splits(list(attributes))
        files, versions = [], []
        for file in attributes:
            try:
                versions.append(file_version(self._files / IMAGES / file))
            except FileNotFoundError:
                continue
            files.append(file)
        if not files:
            raise InputError(
                f"{self._files / IMAGES} has none of the {len(attributes)} images that {ATTRIBUTES}"
                " names: type data.root=PATH"
            )
        if len(files) < len(attributes):
            absent = len(attributes) - len(files)
            log.warning("%d of %d listed images are not there", absent, len(attributes))
        values = np.array([attributes[file] for file in files], dtype=np.uint8)
        return Listing(
            root=self._files / IMAGES,
            files=files,
            classes=[""] * len(files),
            versions=versions,
            splits=[splits[file] for file in files],
            attributes=dict(zip(names, values.T, strict=True)),
            window=FaceWindow(),
        )

    def _attributes(self) -> tuple[list[str], dict[str, list[bool]]]:
        """Return the names, and whether each file has each attribute."""
        path = self._files / ATTRIBUTES
        lines = _lines(path)
        try:
            names = lines[1]
            attributes = {file: [int(v) > 0 for v in values] for file, *values in lines[2:]}
        except (IndexError, ValueError) as error:
            raise InputError(f"{path} is not CelebA's list of attributes ({error})") from error
        if not attributes or any(len(row) != len(names) for row in attributes.values()):
            raise InputError(
                f"{path} does not have {len(names)} values, as its second line names attributes, "
                "in each line: download it again"
            )
        return names, attributes

    def _splits(self, files: list[str]) -> dict[str, str]:
        """Return the split of each file."""
        path = self._files / (PARTITION if self.partition == "official" else IDENTITY)
        listed = {line[0]: line[1] for line in _lines(path) if len(line) == 2}
        if missing := [file for file in files if file not in listed]:
            raise InputError(
                f"{path} lacks {len(missing)} of the images of {ATTRIBUTES}, such as {missing[0]}: "
                "download it again"
            )
        if self.partition == "official":
            splits = dict(zip("012", SPLITS, strict=True))
            if unknown := {listed[file] for file in files} - set(splits):
                raise InputError(
                    f"{path} has {min(unknown)} where 0, 1 or 2 should be: download it again"
                )
            return {file: splits[listed[file]] for file in files}
        persons = sorted({listed[file] for file in files})
        drawn = split_indices(len(persons), self.shares, self.split_seed)
        of_person = {persons[index]: name for name, part in drawn.items() for index in part}
        return {file: of_person[listed[file]] for file in files}

    def _compare_checksums(self) -> None:
        """Say which lists are not the official ones; subsets are welcome."""
        from torchvision.datasets import CelebA

        official = {name: md5 for _, md5, name in CelebA.file_list}
        there = [name for name in LISTS if (self._files / name).exists()]
        other = [
            name
            for name in there
            if hashlib.md5((self._files / name).read_bytes()).hexdigest() != official[name]
        ]
        if other:
            log.warning(
                "%s in %s differ from CelebA's official files: numbers are those of a subset",
                ", ".join(other),
                self._files,
            )
