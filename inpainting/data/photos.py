"""Patches of the photographs that come inside scikit-image: real images without a download.

Each photograph is cut into three bands along its longer side, one for each split, and a patch lies
wholly inside its band, so no pixel is in two splits, at any scale. Patches of one split overlap.
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

# The colour photographs of the wheel. Left out: what is no everyday scene (retina, a tissue, the
# Hubble field, a colour wheel) and motorcycle_right, which shows the scene of motorcycle_left.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
HELD_OUT = {"test": 0.2, "val": 0.2}  # of the longer side
ATTEMPTS = 20  # draws a patch before it is clear that there are no more different ones
LARGEST = 128  # px; no band is narrower, so every size has the same bands


def bands(height: int, width: int) -> dict[str, tuple[int, int, int, int]]:
    """The region of each split in a photograph: top, left, height, width.

    Along the longer side: test, train, val; the middle, where the motif is, is for training.
    """
    longer = max(height, width)
    sides = {split: max(LARGEST, round(share * longer)) for split, share in HELD_OUT.items()}
    sides["train"] = longer - sum(sides.values())
    starts = {"test": 0, "train": sides["test"], "val": longer - sides["val"]}
    if width >= height:
        return {split: (0, starts[split], height, sides[split]) for split in SPLITS}
    return {split: (starts[split], 0, sides[split], width) for split in SPLITS}


class PhotosDataModule(InpaintingDataModule):
    """Patches of scikit-image's photographs, drawn by `split_seed`, in memory.

    Args:
        patches: how many for train, val and test
        scales: a patch is cut at one of these times `image_size` and shrunk, as far as it fits
        **kwargs: of `InpaintingDataModule`
    """

    def __init__(
        self,
        *,
        patches: Sequence[int] = (3000, 200, 150),
        scales: Sequence[float] = (1, 1.5, 2),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if self.image_size > LARGEST:
            raise InputError(
                f"data.image_size={self.image_size}: the photographs have patches of up to "
                f"{LARGEST} px, type data.image_size={LARGEST}"
            )
        if min(scales) != 1:
            raise InputError(f"data.scales={list(scales)}: the smallest scale must be 1")
        if len(patches) != 3:
            raise InputError(f"data.patches={list(patches)}: give the numbers for train, val, test")
        self.patches, self.scales = dict(zip(SPLITS, patches, strict=True)), list(scales)

    def read_split(self, name: str) -> Split:
        """The patches of a split, all different, named photograph@top,left,side."""
        size, patches = self.image_size, self._draw(name)
        images = np.empty((len(patches), size, size, self.channels), dtype=np.uint8)
        for image, (photograph, top, left, side) in zip(images, patches, strict=True):
            # Cut before shrinking, so that the antialiasing sees nothing beyond the patch.
            patch = self.photographs[photograph].crop((left, top, left + side, top + side))
            image[:] = np.asarray(patch.resize((size, size), Image.Resampling.BILINEAR)).reshape(
                image.shape
            )
        files = [f"{name}@{top},{left},{side}" for name, top, left, side in patches]
        return Split(images, files)

    def _draw(self, split: str) -> list[tuple[str, int, int, int]]:
        """Photograph, top, left and side of each patch."""
        rng = np.random.default_rng([self.split_seed, SPLITS.index(split)])
        sides = [round(scale * self.image_size) for scale in self.scales]
        drawn: dict[tuple[str, int, int, int], None] = {}  # a set that keeps its order
        names = sorted(self.photographs)
        wanted = self.patches[split]
        for _ in range(ATTEMPTS * wanted):
            if len(drawn) == wanted:
                break
            name = names[len(drawn) % len(names)]  # in turn: any stretch has all of them
            photograph = self.photographs[name]
            top, left, height, width = bands(photograph.height, photograph.width)[split]
            side = int(rng.choice([side for side in sides if side <= min(height, width)]))
            top += int(rng.integers(height - side + 1))
            left += int(rng.integers(width - side + 1))
            drawn[name, top, left, side] = None
        if len(drawn) < wanted:
            raise InputError(
                f"data.patches: the photographs have no {wanted} different {split} "
                f"patches of {self.image_size} px, only about {len(drawn)}: ask for fewer"
            )
        return list(drawn)

    @cached_property
    def photographs(self) -> dict[str, Image.Image]:
        """The photographs by name, in grey or RGB."""
        mode = {1: "L", 3: "RGB"}[self.channels]
        paths = [Path(skimage.data_dir) / file for file in PHOTOGRAPHS]
        return {path.stem: Image.fromarray(read_photo(path).pixels).convert(mode) for path in paths}
