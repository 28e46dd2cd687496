"""A data set of any image files below a folder."""

import logging
from pathlib import Path

from inpainting.data.arrays import SPLITS
from inpainting.data.decoded import DecodedDataModule
from inpainting.data.listing import Listing, file_version
from inpainting.errors import InputError
from inpainting.images.listing import each_once, list_images

log = logging.getLogger(__name__)


class FolderDataModule(DecodedDataModule):
    """Every image below `root`, at any depth; its class is the first folder below `root`.

    Where `root` has the folders `train`, `val` and `test`, these are the splits, the classes are
    the first folders below them, and `shares` and `split_seed` do nothing.
    """

    def listing(self) -> Listing:
        """List the image files, sorted by path.

        Raises:
            InputError: there are no image files, or none in a folder that is a split.
        """
        paths = each_once(list_images(self.root))
        if not paths:
            raise InputError(
                f"{self.root} contains no image: type data.root=PATH, a folder of images"
            )
        relative = [path.relative_to(self.root) for path in paths]
        splits = None
        if self._has_splits():
            relative = [path for path in relative if path.parts[0] in SPLITS]
            splits = [path.parts[0] for path in relative]
            self._check_splits(splits, left_out=len(paths) - len(relative))
        depth = 0 if splits is None else 1
        return Listing(
            root=self.root,
            files=[path.as_posix() for path in relative],
            classes=[_class(path, depth) for path in relative],
            versions=[file_version(self.root / path) for path in relative],
            splits=splits,
        )

    def _has_splits(self) -> bool:
        found = [name for name in SPLITS if (self.root / name).is_dir()]
        if "train" in found and len(found) == 2:
            (absent,) = set(SPLITS) - set(found)
            log.warning(
                "%s has the folders %s but no %s: all of its images are divided at random; to keep "
                "ready-made splits, add %s",
                self.root,
                " and ".join(found),
                absent,
                absent,
            )
        return len(found) == len(SPLITS)

    def _check_splits(self, splits: list[str], left_out: int) -> None:
        counts = {name: splits.count(name) for name in SPLITS}
        for name, count in counts.items():
            if not count:
                raise InputError(
                    f"{self.root / name} contains no image: add images, or remove that folder to "
                    "have all images divided at random"
                )
        found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        outside = f"; {left_out:,} images outside of them are left out" if left_out else ""
        log.info("the splits are the folders of %s: %s%s", self.root, found, outside)


def _class(path: Path, depth: int) -> str:
    """Return the folder of an image at a depth below the root, "" if it lies in none."""
    return path.parts[depth] if len(path.parts) > depth + 1 else ""
