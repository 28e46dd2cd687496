"""Kinds of images that a user hands over, and the way back to the same kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from inpainting.errors import InputError
from inpainting.images.decoding import eight_bit_pixels
from inpainting.images.files import as_mask, read_mask, read_photo
from inpainting.images.photo import Photo, to_pil

# An array (H, W) or (H, W, C), an image of PIL, or the path of a file.
AnyImage = np.ndarray | Image.Image | str | Path

KINDS = "give an array (H, W) or (H, W, C) of uint8, uint16 or floats from 0 to 1, a PIL image or "
KINDS += "the path of a file"


def as_photo(image: AnyImage, name: str = "image") -> tuple[Photo, Callable[[Photo], AnyImage]]:
    """Convert an image, and say how a filled one becomes the same kind.

    Args:
        image: an array with 1 to 4 channels (grey, grey and alpha, RGB, RGBA), an image of PIL, or
            a path
        name: of the argument, for messages

    Returns:
        the photo, and a function from a photo to an array of the same shape and type, or an image
        of PIL of the same mode (a palette becomes RGB); a file with 16 bits of colour becomes an
        array, as PIL has no such image

    Raises:
        InputError: the image is of another kind, empty or unreadable.
    """
    if isinstance(image, np.ndarray):
        photo = Photo(_with_channels(image, name))
        return photo, lambda filled: filled.pixels.reshape(image.shape)
    if isinstance(image, Image.Image):
        pixels = _of_pil(image, name)
        return Photo(pixels, image.info.get("icc_profile")), _to_image
    if isinstance(image, str | Path):
        return read_photo(image), _to_image
    raise InputError(f"{name} is of type {type(image).__name__}: {KINDS}")


def any_mask(mask: AnyImage, hole: str) -> Tensor:
    """Convert a mask to (1, 1, H, W) in [0, 1], 1 = hole; an array may also be of bool.

    Args:
        mask: an image, as `as_photo` takes it
        hole: "white" (or True) or "black", the colour of the hole

    Raises:
        InputError: the mask is of another kind, unreadable, or not in the range of its type.
    """
    if isinstance(mask, str | Path):
        return read_mask(mask, hole)
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        mask = mask.astype(np.float32)
    photo, _ = as_photo(mask, "mask")
    if np.issubdtype(photo.pixels.dtype, np.floating):
        check_floats(photo.pixels, np.ones(photo.pixels.shape[:2], bool), "mask")
    return as_mask(photo, hole)


def check_pair(photo: Photo, hole: Tensor) -> None:
    """Refuse a hole (1, 1, H, W) that does not fit its image, or leaves nothing to fill it from.

    Raises:
        InputError: the sizes differ, no pixel is known, or a known pixel is not in its range.
    """
    size, given = photo.pixels.shape[:2], tuple(hole.shape[2:])
    if given != size:
        raise InputError(
            f"the mask is {given[1]}x{given[0]}, but the image is {size[1]}x{size[0]}: give a mask "
            "of the image's size"
        )
    known = hole[0, 0].numpy() <= 0
    if not known.any():
        raise InputError(
            "the mask covers the whole image and leaves no known pixel to fill from; if its hole "
            "is black, give mask_hole=black"
        )
    if np.issubdtype(photo.pixels.dtype, np.floating):
        check_floats(photo.pixels, known, "image")


def check_floats(pixels: np.ndarray, where: np.ndarray, name: str) -> None:
    """Refuse floats (H, W, C) outside [0, 1] or not finite, where (H, W) says that they count.

    Raises:
        InputError: there is such a value.
    """
    values = pixels[where]
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # False for NaN too
        raise InputError(
            f"{name}: its floats run from {values.min():g} to {values.max():g}; give floats from 0 "
            "to 1, or uint8 or uint16"
        )


def _with_channels(array: np.ndarray, name: str) -> np.ndarray:
    pixels = array[..., None] if array.ndim == 2 else array
    known = array.dtype in (np.uint8, np.uint16) or np.issubdtype(array.dtype, np.floating)
    if pixels.ndim != 3 or not known or not 1 <= pixels.shape[2] <= 4 or not pixels.size:
        raise InputError(f"{name} is an array {array.shape} of {array.dtype}: {KINDS}")
    return pixels


def _of_pil(image: Image.Image, name: str) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    return eight_bit_pixels(image, name)


def _to_image(photo: Photo) -> Image.Image | np.ndarray:
    if photo.pixels.dtype == np.uint16 and photo.pixels.shape[2] > 1:
        return photo.pixels
    image = to_pil(photo.pixels)
    if photo.profile is not None:
        image.info["icc_profile"] = photo.profile
    return image
