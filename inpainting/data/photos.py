"""Patches of the photographs bundled with scikit-image: real images without a download.

Each photograph is divided along its longer side into three bands, one for each split. A patch lies
entirely inside the band of its split, so that no pixel is in two splits, at any scale. Patches of
the same split may overlap.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

from inpainting.data.arrays import SPLITS, Split
from inpainting.data.base import InpaintingDataModule
from inpainting.errors import InputError
from inpainting.images.files import read_photo
from inpainting.values import Count, Positive

# The colour photographs in the scikit-image wheel. Left out are images that are not everyday scenes
# (retina, tissue section, Hubble field, colour wheel) and motorcycle_right, which shows the same
# scene as motorcycle_left.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
HELD_OUT = {"test": 0.2, "val": 0.2}  # shares of the longer side
ATTEMPTS = 20  # draws per requested patch before giving up on finding more distinct patches
LARGEST = 128  # px, the largest patch; no band is narrower, so bands do not depend on image_size


def bands(height: int, width: int) -> dict[str, tuple[int, int, int, int]]:
    """Return the band of each split as (top, left, height, width), in pixels.

    The bands follow the longer side in the order test, train, val, so that the training split gets
    the middle, which usually shows the subject of the photograph.

    Args:
        height: of the photograph, in pixels
        width: of the photograph, in pixels
    """
    longer = max(height, width)
    sides = {split: max(LARGEST, round(share * longer)) for split, share in HELD_OUT.items()}
    sides["train"] = longer - sum(sides.values())
    starts = {"test": 0, "train": sides["test"], "val": longer - sides["val"]}
    if width >= height:
        return {split: (0, starts[split], height, sides[split]) for split in SPLITS}
    return {split: (starts[split], 0, sides[split], width) for split in SPLITS}


class PhotosDataModule(InpaintingDataModule):
    """Patches of scikit-image's photographs, drawn with `split_seed`, in memory.

    Args:
        patches: numbers of patches for train, val and test
        scales: the side of a patch before it is shrunk, in multiples of `image_size`; one is drawn
            for each patch among those that fit the band, and the smallest must be 1
        **kwargs: arguments of `InpaintingDataModule`

    Raises:
        InputError: `image_size` is above 128, or `scales` or `patches` are not as described.
    """

    def __init__(
        self,
        *,
        patches: Sequence[Count] = (3000, 200, 150),
        scales: Sequence[Positive] = (1, 1.5, 2),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if self.image_size > LARGEST:
            raise InputError(
                f"data.image_size={self.image_size}: the photographs have patches of at most "
                f"{LARGEST} px; type data.image_size={LARGEST} or less"
            )
        if min(scales, default=0) != 1:
            raise InputError(
                f"data.scales={list(scales)}: the smallest scale must be 1; type for instance "
                "data.scales=[1,1.5,2]"
            )
        if len(patches) != 3:
            raise InputError(
                f"data.patches={list(patches)}: type three numbers, for train, val and test"
            )
        self.patches, self.scales = dict(zip(SPLITS, patches, strict=True)), list(scales)

    def read_split(self, name: str) -> Split:
        """Return the distinct patches of a split, named photograph@top,left,side.

        Raises:
            InputError: there are too few distinct patches.
        """
        size, patches = self.image_size, self._draw(name)
        images = np.empty((len(patches), size, size, self.channels), dtype=np.uint8)
        for image, (photograph, top, left, side) in zip(images, patches, strict=True):
            # Crop before shrinking, so that antialiasing mixes in no pixels from outside the patch.
            patch = self.photographs[photograph].crop((left, top, left + side, top + side))
            image[:] = np.asarray(patch.resize((size, size), Image.Resampling.BILINEAR)).reshape(
                image.shape
            )
        files = [f"{photograph}@{top},{left},{side}" for photograph, top, left, side in patches]
        return Split(images, files)

    def _draw(self, split: str) -> list[tuple[str, int, int, int]]:
        """Draw the name of the photograph, top, left and side of each patch."""
        rng = np.random.default_rng([self.split_seed, SPLITS.index(split)])
        sides = [round(scale * self.image_size) for scale in self.scales]
        drawn: dict[tuple[str, int, int, int], None] = {}  # an ordered set
        names = sorted(self.photographs)
        wanted = self.patches[split]
        for _ in range(ATTEMPTS * wanted):
            if len(drawn) == wanted:
                break
            # In turn, so that any few consecutive patches cover all photographs.
            name = names[len(drawn) % len(names)]
            photograph = self.photographs[name]
            top, left, height, width = bands(photograph.height, photograph.width)[split]
            side = int(rng.choice([side for side in sides if side <= min(height, width)]))
            top += int(rng.integers(height - side + 1))
            left += int(rng.integers(width - side + 1))
            drawn[name, top, left, side] = None
        if len(drawn) < wanted:
            raise InputError(
                f"data.patches: the photographs have fewer than {wanted} distinct {split} patches "
                f"of {self.image_size} px, about {len(drawn)}: type a smaller number"
            )
        return list(drawn)

    @cached_property
    def photographs(self) -> dict[str, Image.Image]:
        """The photographs by name, in grey or RGB according to `channels`."""
        mode = {1: "L", 3: "RGB"}[self.channels]
        paths = [Path(skimage.data_dir) / file for file in PHOTOGRAPHS]
        return {path.stem: Image.fromarray(read_photo(path).pixels).convert(mode) for path in paths}
