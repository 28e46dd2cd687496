"""Image files and the masks that go with them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inpainting.errors import InputError
from inpainting.images.listing import list_images

MOST_NAMED = 5  # files in one sentence


@dataclass(frozen=True)
class Filling:
    """One image file, its mask if a hole is filled, and the result's path without its suffix."""

    image: Path
    mask: Path | None
    out: Path

    def outputs(self, samples: int) -> list[Path]:
        """Return the files that are written, one for each sample."""
        numbers = [""] if samples == 1 else [f"_{k + 1}" for k in range(samples)]
        return [self.out.with_name(f"{self.out.name}{number}.png") for number in numbers]


@dataclass(frozen=True)
class Pairs:
    """What goes together, and what is left.

    Attributes:
        fillings: images with their masks, in the order of their names
        without_mask: images that have none
        surplus: masks that belong to no image
    """

    fillings: list[Filling]
    without_mask: list[Path]
    surplus: list[Path]


def pair(images: Path, masks: Path | None, out: Path) -> Pairs:
    """Match images with masks: one mask for all images, or a mask of the same name for each.

    Args:
        images: an image file, or a folder of images, at any depth
        masks: a mask file, or a folder of masks; None where whole images are edited
        out: folder of the results, which keep the images' names and subfolders

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    for key, path in (("input", images), ("masks", masks)):
        if path is not None and not path.exists():
            raise InputError(f"{key}={path}: there is no such file or folder; type another path")
    if images.is_file():
        found, root = [images], images.parent
    else:
        found, root = list_images(images), images
    if not found:
        raise InputError(f"input={images}: no image in it; type another folder")
    names = [path.relative_to(root).with_suffix("") for path in found]
    one_each = masks is not None and masks.is_dir()
    partners = {}
    if one_each:
        partners = {path.relative_to(masks).with_suffix(""): path for path in list_images(masks)}
    fillings, without, count = [], [], Counter(names)
    for path, name in zip(found, names, strict=True):
        if one_each and name not in partners:
            without.append(path)
            continue
        # a.jpg and a.png side by side would both become a.png
        target = name if count[name] == 1 else path.relative_to(root)
        mask = partners[name] if one_each else masks
        fillings.append(Filling(path, mask, out / target.parent / target.name))
    surplus = [path for name, path in partners.items() if name not in count]
    return Pairs(fillings, without, surplus)


def check_outputs(
    fillings: Sequence[Filling], among: Sequence[Filling], samples: int, overwrite: bool
) -> None:
    """Refuse results that would replace an input, or another file unless that is asked for.

    Args:
        fillings: those whose results are checked
        among: those whose images and masks must stay
        samples: of each image
        overwrite: True if results may replace files that are no inputs

    Raises:
        InputError: names the file.
    """
    inputs = {}
    for path in [one.image for one in among] + [one.mask for one in among if one.mask]:
        inputs[_identity(path)] = path
    for path in (path for one in fillings for path in one.outputs(samples) if path.exists()):
        if _identity(path) in inputs:
            raise InputError(
                f"{path} is an input ({inputs[_identity(path)]}), which a result would replace: "
                "type out=FOLDER with another folder"
            )
        if not overwrite:
            raise InputError(
                f"{path} exists already: type overwrite=true, or out=FOLDER with another folder"
            )


def _identity(path: Path) -> tuple[int, int]:
    """Return what equal files have in common, by whatever name they are found."""
    status = path.stat()
    return status.st_dev, status.st_ino


def some(paths: Iterable[Path | str]) -> str:
    """Name a few files, and say how many more there are."""
    names = [str(path) for path in paths]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
