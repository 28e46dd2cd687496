"""Images that come along, so that a hole can be painted before any photograph is chosen.

Digits and faces are of the test split, which no training on `data=digits` or `data=faces` has seen.
"""

import io
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import skimage
from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.data.arrays import SPLITS
from inpainting.data.digits import as_split
from inpainting.data.drawn_face import draw_face
from inpainting.data.splitting import split_indices
from inpainting.images.files import read_photo
from inpainting.images.photo import to_pil

PHOTOGRAPHS = {  # of scikit-image's wheel
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
}
DIGITS = {"digit": 0, "another_digit": 3}  # by their place in the test split
FACES = {"face": 0, "another_face": 1}
EXAMPLES = (*PHOTOGRAPHS, *FACES, *DIGITS)


@cache
def example(name: str) -> bytes:
    """Return one of `EXAMPLES` as a PNG file."""
    buffer = io.BytesIO()
    to_pil(_pixels(name)).save(buffer, "PNG")
    return buffer.getvalue()


def _pixels(name: str) -> np.ndarray:
    if name in PHOTOGRAPHS:
        return read_photo(Path(skimage.data_dir) / PHOTOGRAPHS[name]).pixels
    return _digit(DIGITS[name]) if name in DIGITS else _face(FACES[name])


def _digit(place: int) -> np.ndarray:
    from sklearn.datasets import load_digits

    images = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    base, own = (
        OmegaConf.load(Path(CONF) / "data" / f"{name}.yaml") for name in ("base", "digits")
    )
    index = split_indices(len(images), own.shares, base.split_seed)["test"][place]
    whole = as_split(images[[index]], [""], np.zeros(1), own.image_size, own.channels)
    return whole.images[0]


def _face(place: int) -> np.ndarray:
    base = OmegaConf.load(Path(CONF) / "data" / "base.yaml")
    rng = np.random.default_rng([base.split_seed, SPLITS.index("test"), place])
    smiling, eyeglasses = rng.random(2) < (0.5, 0.4)
    drawn = draw_face(rng, bool(smiling), bool(eyeglasses), 2 * base.image_size)
    return cv2.resize(drawn, (base.image_size,) * 2, interpolation=cv2.INTER_AREA)
