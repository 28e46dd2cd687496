"""Decode image files of any format, colour mode and bit depth to arrays."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from inpainting.errors import InputError
from inpainting.images.exif import for_filled_copy
from inpainting.images.jpeg import drafted, read_bytes

ORIENTATION, BITS_PER_SAMPLE = 274, 258  # EXIF and TIFF tags
UPRIGHT = {  # EXIF orientation: the operation that turns the stored pixels upright
    1: np.asarray,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.swapaxes(np.rot90(pixels, 2), 0, 1),
    8: np.rot90,
}
# PIL and OpenCV raise any of these for a damaged file, depending on its format and on the damage.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError)
BROKEN += (struct.error, zlib.error, Image.DecompressionBombError, cv2.error)


def _has_16_bits(opened: Image.Image) -> bool:
    """Return True if the file has 16 bits per channel.

    PIL opens 16-bit colour as 8-bit RGB: only the tags or the decoder arguments show the depth.
    """
    if opened.format == "TIFF":
        plain = opened.mode in ("RGB", "RGBA") or opened.mode.startswith("I;16")
        return plain and 16 in opened.tag_v2.get(BITS_PER_SAMPLE, ())
    return any(";16" in f"{opened.mode} {tile.args}" for tile in opened.tile)


def _read_16_bits(path: str | Path) -> np.ndarray:
    """Read the pixels through OpenCV, because PIL has no 16-bit colour."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise OSError("OpenCV cannot decode its 16-bit pixels")
    if pixels.ndim == 2:
        return pixels[..., None]
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def eight_bit_pixels(opened: Image.Image, name: str | Path) -> np.ndarray:
    """Return the pixels of an image of PIL as (H, W, C) uint8; C as in `Stored`.

    Raises:
        InputError: the image has 32-bit pixels; says so of `name`.
    """
    opened.load()
    if opened.mode in ("I", "F"):
        raise InputError(f"{name} has 32-bit pixels: save it with 8 or 16 bits per channel")
    mode = "L" if opened.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" if opened.has_transparency_data else ""
    converted = opened if opened.mode == mode else opened.convert(mode)
    return np.asarray(converted).reshape(opened.height, opened.width, len(mode))


class Stored(NamedTuple):
    """The pixels of a decoded file, not yet turned upright, and its metadata.

    Attributes:
        pixels: (H, W, C) uint8 or uint16; C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
        orientation: the EXIF orientation, 1 to 8; 1 = upright
        profile: the ICC colour profile, or None
        size: width and height at full resolution, in pixels
        reduction: 2, 4 or 8 if a JPEG was decoded at 1/2, 1/4 or 1/8 of its size, otherwise 1
        exif: the EXIF data of upright pixels, see `for_filled_copy`, or None
    """

    pixels: np.ndarray
    orientation: int
    profile: bytes | None
    size: tuple[int, int]
    reduction: int
    exif: bytes | None


def _orientation(opened: Image.Image) -> int:
    orientation = opened.getexif().get(ORIENTATION, 1)
    return orientation if orientation in UPRIGHT else 1  # some cameras write 0


def _drafted(path: str | Path, mode: str, least: int) -> Stored | None:
    """Decode a JPEG at a reduced size; None for what is left to PIL."""
    content = read_bytes(path)
    image = drafted(content, mode == "L", least) if content else None
    if image is None:
        return None
    orientation = 1
    if image.metadata:
        with Image.open(BytesIO(content)) as opened:
            orientation = _orientation(opened)
    return Stored(image.pixels, orientation, None, image.size, image.reduction, None)


def _decode(path: str | Path) -> Stored:
    # Pass a file object: by name, PIL would memory-map a TIFF and swap the sides of a rotated one.
    with open(path, "rb") as file, Image.open(file) as opened:
        deep = _has_16_bits(opened)
        pixels = _read_16_bits(path) if deep else eight_bit_pixels(opened, path)
        size = pixels.shape[1], pixels.shape[0]  # loading a TIFF may have rotated it
        # Both libraries have turned a TIFF upright, but only PIL has dropped the orientation tag.
        orientation = 1 if deep and opened.format == "TIFF" else _orientation(opened)
        # A profile describes the colours of the file, which converting these modes has changed.
        same_colours = opened.mode not in ("CMYK", "LAB", "YCbCr")
        profile = opened.info.get("icc_profile") if same_colours else None
        metadata = opened.info.get("exif")
    exif = for_filled_copy(metadata) if metadata else None
    return Stored(pixels, orientation, profile, size, 1, exif)


def decode(path: str | Path, draft: tuple[str, int] | None = None) -> Stored:
    """Decode an image file, or the first frame of an animation.

    Palettes, CMYK and other colour modes become RGB, 1-bit images become grey, and 16 bits per
    channel stay 16 bits.

    Args:
        path: the file
        draft: colour mode ("L" or "RGB") and the smallest acceptable side in pixels: an ordinary
            JPEG is then decoded at a reduced size, and without its profile and EXIF data

    Raises:
        InputError: the file does not exist, cannot be read as an image or has 32-bit pixels.
    """
    try:
        return (_drafted(path, *draft) if draft else None) or _decode(path)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give the path of an image") from None
    except BROKEN as error:
        reason = "not a known format" if isinstance(error, UnidentifiedImageError) else error
        raise InputError(
            f"{path} cannot be read as an image ({reason}): save it again or leave it out"
        ) from error
