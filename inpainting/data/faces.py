"""Drawn faces with and without a smile and eyeglasses: attributes without a download."""

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock
from rich.progress import track

from inpainting.data import arrays, drawn_face, face_canvas
from inpainting.data.arrays import SPLITS, Split
from inpainting.data.base import InpaintingDataModule
from inpainting.data.drawn_face import draw_face
from inpainting.errors import InputError, check_whole
from inpainting.values import Count

ATTRIBUTES = ("smiling", "eyeglasses")


class FacesDataModule(InpaintingDataModule):
    """Simple faces that vary in shape, colour, pose, light and background, drawn once and cached.

    Half of the faces smile and 40 % wear glasses, independently. What a face looks like follows
    from its index and `split_seed` alone; training, validation and test have no face in common.

    Args:
        counts: number of faces in train, val and test
        cache: the folder of drawn faces, with a subfolder for each state of the settings
        options: keyword arguments of `InpaintingDataModule`

    Raises:
        InputError: a count is below 1, or there are not three.
    """

    def __init__(self, *, counts: Sequence[Count], cache: str | Path, **options: Any):
        super().__init__(**options)
        if len(counts) != 3:
            raise InputError(f"data.counts={list(counts)}: type three numbers of faces")
        for count in counts:
            check_whole("data.counts", count, 1)
        self.counts, self.cache = list(counts), Path(cache).expanduser()

    def prepare_data(self) -> None:
        """Draw faces that are not in the cache; Lightning calls this in one process only."""
        _ = self.folder

    def read_split(self, name: str) -> Split:
        """Return one split, memory-mapped."""
        return arrays.read(self.folder, name)

    @cached_property
    def folder(self) -> Path:
        """The folder in the prepared format; it is written on first access if it does not exist."""
        settings = {
            "image_size": self.image_size,
            "channels": self.channels,
            "counts": self.counts,
            "split_seed": self.split_seed,
            # A change of the drawing must not leave faces of two kinds under one name.
            "drawing": [
                inspect.getsource(part) for part in (drawn_face, face_canvas, FacesDataModule._rows)
            ],
        }
        key = hashlib.sha256(repr([arrays.VERSION, settings]).encode()).hexdigest()[:16]
        folder = self.cache / f"faces-{key}"
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):  # another process may be drawing the same faces
            if not folder.exists():
                with arrays.writing(folder) as part:
                    for number, split in enumerate(SPLITS):
                        arrays.write_split(part, split, self._rows(number))
                    settings.pop("drawing")
                    arrays.write_manifest(part, settings, attributes=ATTRIBUTES)
        return folder

    def _rows(self, split: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """Draw the faces of a split for `arrays.write_split`."""
        count = self.counts[split]
        for index in track(range(count), f"drawing {count} faces", transient=True):
            rng = np.random.default_rng([self.split_seed, split, index])
            smiling, eyeglasses = rng.random(2) < (0.5, 0.4)
            # Drawn at twice the size, because shrinking smooths the edges.
            drawn = draw_face(rng, bool(smiling), bool(eyeglasses), 2 * self.image_size)
            face = cv2.resize(drawn, (self.image_size,) * 2, interpolation=cv2.INTER_AREA)
            if self.channels == 1:
                face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None]
            line = {"file": f"{SPLITS[split]}/{index}", "class": ""}
            yield face, line | {"smiling": int(smiling), "eyeglasses": int(eyeglasses)}
