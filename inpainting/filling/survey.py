"""A look at all images and masks before the first is filled: what fits, and what is odd."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from inpainting.errors import InputError
from inpainting.filling.kinds import check_pair
from inpainting.filling.pairs import Filling, some
from inpainting.images.files import as_mask, is_jpeg, read_photo
from inpainting.images.hole_edges import HoleEdges
from inpainting.images.photo import Photo


@dataclass(frozen=True)
class MaskReader:
    """How mask files are read.

    Args:
        hole: colour of the hole, "white" or "black"
        edges: what is done to a mask
    """

    hole: str
    edges: HoleEdges

    def __call__(self, path: Path) -> tuple[Tensor, int]:
        """Return the mask (1, 1, H, W), and how many of its pixels were neither black nor white.

        The noise of a JPEG is rounded to black and white whether a threshold is set or not.
        """
        mask = as_mask(read_photo(path), self.hole, str(path))
        grey = int(((mask > 0) & (mask < 1)).sum())
        if self.edges.threshold is None and is_jpeg(path):
            mask = (mask > 0.5).float()
        return self.edges(mask), grey


@dataclass
class Survey:
    """What was found in the files.

    Attributes:
        fillings: those that can be filled
        left_out: sentences about those that cannot, in the order of the files
        shares: share of each image that is filled, by filling
        grey: masks with grey pixels, and how many
    """

    fillings: list[Filling] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    shares: dict[Filling, float] = field(default_factory=dict)
    grey: dict[Path, int] = field(default_factory=dict)

    def remarks(self, reader: MaskReader) -> list[str]:
        """Return a line about each thing that is odd."""
        lines = []
        if self.shares:
            low, high = min(self.shares.values()), max(self.shares.values())
            lines.append(f"The holes cover {100 * low:.1f} % to {100 * high:.1f} % of an image.")
        large = [one.mask for one, share in self.shares.items() if share > 0.5]
        if large:
            other = "black" if reader.hole == "white" else "white"
            lines.append(
                f"Warning: {len(large)} mask(s) hide more than half of the image: "
                f"{some(dict.fromkeys(large))}. {reader.hole.capitalize()} is the hole; if the "
                f"masks are drawn the other way round, type mask_hole={other}"
            )
        empty = [one.image for one, share in self.shares.items() if share == 0]
        if empty:
            lines.append(f"{len(empty)} mask(s) are empty, so the image is copied: {some(empty)}")
        jpeg, soft = ({p: n for p, n in self.grey.items() if is_jpeg(p) == kind} for kind in (1, 0))
        if jpeg and reader.edges.threshold is None:
            lines.append(
                f"{_counted(jpeg)}, rounded at 0.5 as a JPEG's noise; mask_threshold=NUMBER sets "
                "another threshold"
            )
        if soft and reader.edges.threshold is None:
            lines.append(
                f"{_counted(soft)}, which blend the fill with the image; type mask_threshold=0.5 "
                "to make each of them hole or known"
            )
        return lines


def _counted(grey: dict[Path, int]) -> str:
    return f"{sum(grey.values()):,} grey pixels in {some(grey)}"


def survey(
    fillings: Sequence[Filling],
    reader: MaskReader,
    skip: bool,
    track: Callable[[Sequence[Filling]], Iterable[Filling]],
) -> Survey:
    """Read every image and mask once, before any long work.

    Args:
        fillings: what will be filled
        reader: of the masks
        skip: leave out what cannot be filled instead of raising an error
        track: shows the progress

    Raises:
        InputError: `skip` is False and a file cannot be read, an image and its mask differ in
            size, or a mask leaves no known pixel.
    """
    found = Survey()
    for filling in track(fillings):
        try:
            photo = read_photo(filling.image)
            if filling.mask is not None:
                mask, grey = reader(filling.mask)
                _check(photo, mask, filling, reader.hole)
                found.shares[filling] = float((mask > 0).double().mean())
                if grey:
                    found.grey[filling.mask] = grey
        except InputError as error:
            if not skip:
                raise
            found.left_out.append(str(error))
            continue
        found.fillings.append(filling)
    return found


def _check(photo: Photo, mask: Tensor, filling: Filling, hole: str) -> None:
    """Refuse a mask that does not fit its image; the sentence names both files."""
    height, width = photo.pixels.shape[:2]
    if tuple(mask.shape[2:]) != (height, width):
        raise InputError(
            f"the mask {filling.mask} is {mask.shape[3]}x{mask.shape[2]}, but its image "
            f"{filling.image} is {width}x{height}: type a mask of the image's size, or skip=true "
            "to leave out what does not fit"
        )
    if (mask > 0).all():
        other = "black" if hole == "white" else "white"
        raise InputError(
            f"the mask {filling.mask} covers the whole image and leaves no known pixel to fill "
            f"from; if its hole is {other}, type mask_hole={other}"
        )
    check_pair(photo, mask)
