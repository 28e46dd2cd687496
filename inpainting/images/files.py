"""Image files and masks: read at full depth, or shrunk for a data set."""

from collections.abc import Callable, Sequence
from math import gcd
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from inpainting.errors import InputError
from inpainting.images.decoding import UPRIGHT, decode
from inpainting.images.photo import Photo, to_pil, white

DECODING = 2  # the version of `read_uint8`: images are decoded anew where another one made them

# Maps width and height of an image to (left, top, right, bottom) of the part to keep, in pixels.
Window = Callable[[int, int], tuple[float, float, float, float]]


def centre_square(width: int, height: int) -> tuple[float, float, float, float]:
    """Return the window of the largest square in the middle of an image."""
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    return left, top, left + edge, top + edge


def read_uint8(
    path: str | Path, channels: int, side: int, window: Window | None = None
) -> np.ndarray:
    """Read an image for a data set: a square part of it, resized with antialiasing.

    A JPEG is decoded at the smallest of its built-in scales that is at least twice `side`. This
    saves time and changes little: for 247 images of 256 to 320 px shrunk to 64 px, the PSNR
    against decoding at full size is 47 dB in the median and 41 dB at worst. Transparent pixels are
    laid over white, as on a web page.

    Args:
        path: the file
        channels: 1 (luminance) or 3 (RGB)
        side: of the result, in pixels
        window: the part of the stored image, before it is turned upright; None is the centre square

    Returns:
        (side, side, channels) uint8

    Raises:
        InputError: the file does not exist, cannot be read as an image or has 32-bit pixels.
    """
    mode = {1: "L", 3: "RGB"}[channels]
    stored = decode(path, draft=(mode, 2 * side))
    (width, height), reduction = stored.size, stored.reduction
    # Place the window at full resolution: decoding at a reduced scale rounds odd sides up, and
    # centring in the rounded size would move the centre.
    box = [value / reduction for value in (window or centre_square)(width, height)]
    square = _resized(_opaque(stored.pixels, mode), box, side)
    return UPRIGHT[stored.orientation](square)


def _resized(pixels: np.ndarray, box: Sequence[float], side: int) -> np.ndarray:
    """Return a part of an image, (side, side, C) uint8, resized with the triangle filter of PIL.

    At the edges of the part, the filter sees what lies outside. Torch has the same filter and takes
    a third of the time, but resizes whole images: it is used where margins of whole pixels become
    margins of whole pixels. The two differ by one level at most.
    """
    height, width, channels = pixels.shape
    rows, columns = _aligned(box[1], box[3], height, side), _aligned(box[0], box[2], width, side)
    if rows is None or columns is None:
        resized = to_pil(pixels).resize((side, side), Image.Resampling.BILINEAR, box=box)
        return np.asarray(resized).reshape(side, side, channels)
    part = np.require(pixels[rows.seen, columns.seen], requirements=("C", "W"))
    image = torch.from_numpy(part).permute(2, 0, 1)[None]  # (1, C, H, W) in channels_last
    sides = (rows.resized, columns.resized)
    resized = interpolate(image, sides, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    return resized[rows.kept, columns.kept].numpy()


class _Aligned(NamedTuple):
    """One axis of a part of an image with its margins.

    Attributes:
        seen: the pixels of the part and of its margins
        resized: their number when they are resized
        kept: those of the part among the resized ones
    """

    seen: slice
    resized: int
    kept: slice


def _aligned(start: float, stop: float, length: int, side: int) -> _Aligned | None:
    """Add margins to a part of an axis so that each becomes whole pixels; None if they do not fit.

    Args:
        start: first edge of the part, in pixels
        stop: its other edge
        length: of the image's axis
        side: of the resized part
    """
    first, last = int(start), int(stop)
    if first != start or last != stop:
        return None
    # `margin` pixels become `resized` ones, and are at least as many as the filter reaches.
    common = gcd(last - first, side)
    margin, resized = (last - first) // common, side // common
    before, after = first > 0, last < length
    if (before and margin > first) or (after and last + margin > length):
        return None
    return _Aligned(
        slice(first - before * margin, last + after * margin),
        side + (before + after) * resized,
        slice(before * resized, before * resized + side),
    )


def read_shrunk(path: str | Path, longest: int) -> np.ndarray:
    """Read a whole image upright, shrunk with antialiasing if it is larger than wanted.

    Args:
        path: the file
        longest: largest allowed side, in pixels

    Returns:
        (H, W, 3) uint8 RGB, with H and W up to `longest`

    Raises:
        InputError: the file does not exist, cannot be read as an image or has 32-bit pixels.
    """
    stored = decode(path, draft=("RGB", longest))
    whole = to_pil(_opaque(stored.pixels, "RGB"))
    whole.thumbnail((longest, longest), Image.Resampling.BILINEAR, reducing_gap=None)
    return np.ascontiguousarray(UPRIGHT[stored.orientation](np.asarray(whole)))


def _opaque(pixels: np.ndarray, mode: str) -> np.ndarray:
    """Convert decoded pixels to (H, W, C) uint8 of a mode, laid over white if transparent."""
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if pixels.shape[2] == len(mode):
        return pixels
    whole = to_pil(pixels)
    if whole.mode.endswith("A"):
        opaque = Image.new(whole.mode[:-1], whole.size, "white")
        opaque.paste(whole.convert(opaque.mode), mask=whole.getchannel("A"))
        whole = opaque
    whole = whole if whole.mode == mode else whole.convert(mode)
    return np.asarray(whole).reshape(*pixels.shape[:2], len(mode))


def read_photo(path: str | Path) -> Photo:
    """Read an image file upright, at its full size and depth.

    Raises:
        InputError: the file does not exist, cannot be read as an image or has 32-bit pixels.
    """
    stored = decode(path)
    upright = UPRIGHT[stored.orientation](stored.pixels)
    return Photo(np.ascontiguousarray(upright), stored.profile, stored.exif)


def read_mask(path: str | Path, hole: str = "white") -> Tensor:
    """Read a mask file; see `as_mask`.

    A JPEG mask is binarised at 0.5, because compression noise would otherwise make almost every
    pixel part of the hole.

    Args:
        path: the file
        hole: "white" or "black", the colour that marks the hole

    Returns:
        (1, 1, H, W) float32 in [0, 1], 1 = hole

    Raises:
        InputError: the file cannot be read or `hole` is another colour.
    """
    mask = as_mask(read_photo(path), hole, str(path))
    return (mask > 0.5).float() if is_jpeg(path) else mask


def is_jpeg(path: str | Path) -> bool:
    """Return True for the name of a JPEG file."""
    return Path(path).suffix.lower() in (".jpg", ".jpeg")


def as_mask(photo: Photo, hole: str = "white", name: str = "mask") -> Tensor:
    """Convert an image to a mask; grey levels give a soft mask, colours count by their luminance.

    A drawing in a single colour on a transparent background carries its information only in alpha:
    there, the painted pixels are the hole, whatever the colour and whatever `hole` says.

    Args:
        photo: the image
        hole: "white" or "black", the colour that marks the hole
        name: of the mask, for messages

    Returns:
        (1, 1, H, W) float32 in [0, 1], 1 = hole

    Raises:
        InputError: `hole` is another colour, or the pixels are 0 and 1 of 255.
    """
    if hole not in ("white", "black"):
        raise InputError(f"the hole of a mask cannot be {hole!r}: type white or black")
    colour, alpha = photo.pixels[..., : photo.colours], photo.pixels[..., photo.colours :]
    if alpha.size and np.ptp(alpha) and (colour == colour[:1, :1]).all():
        return Photo(alpha).to_tensor(1)
    if white(colour.dtype) > 1 and colour.max(initial=0) == 1:
        raise InputError(
            f"{name}: its values are 0 and 1 where white is {white(colour.dtype):.0f}, so that it "
            "would hide next to nothing; multiply it, or give an array of bool"
        )
    luminance = photo.to_tensor(1)
    return luminance if hole == "white" else 1 - luminance
