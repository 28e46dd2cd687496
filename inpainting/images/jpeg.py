"""JPEG files, decoded at the smallest of libjpeg's scales that suffices."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from simplejpeg import decode_jpeg, decode_jpeg_header

START = b"\xff\xd8"  # how these files begin
# Markers: of EXIF and XMP data, of what holds the pixels, and a byte that pads.
METADATA, SCAN, PADDING = b"\xff\xe1", b"\xff\xda", b"\xff\xff"


class Drafted(NamedTuple):
    """A JPEG decoded at a reduced size.

    Attributes:
        pixels: (H, W, C) uint8; C = 1 grey, 3 RGB
        size: width and height at full resolution, in pixels
        reduction: 1, 2, 4 or 8: the part of its size that a side was decoded at
        metadata: the file may have an orientation
    """

    pixels: np.ndarray
    size: tuple[int, int]
    reduction: int
    metadata: bool


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a JPEG file, nothing for a file of another kind."""
    with open(path, "rb", buffering=0) as file:
        return START + file.read() if file.read(len(START)) == START else b""


def _has_metadata(content: bytes) -> bool:
    """Return True if there are EXIF or XMP data, or if the blocks before the pixels are unusual."""
    place = len(START)
    while (marker := content[place : place + 2]) not in (METADATA, SCAN, PADDING):
        if marker[:1] != b"\xff":
            return True
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return marker != SCAN


def drafted(content: bytes, grey: bool, least: int) -> Drafted | None:
    """Decode a JPEG in grey or YCbCr at the smallest scale that suffices.

    The pixels are those of PIL after `Image.draft`, because both decode with libjpeg-turbo, but
    they are here in two thirds of the time.

    Args:
        content: of the file
        grey: take the luminance alone
        least: smallest acceptable side, in pixels

    Returns:
        the image; None where it is for PIL to decode the file or to say what is wrong with it
    """
    try:
        height, width, colours, _ = decode_jpeg_header(content)
        if colours not in ("YCbCr", "Gray") or height * width > (Image.MAX_IMAGE_PIXELS or 0):
            return None  # PIL warns of images that would fill the memory, or refuses them
        most = max(1, min(height, width) // least)
        reduction = max(scale for scale in (1, 2, 4, 8) if scale <= most)
        shape = -(-height // reduction), -(-width // reduction)
        pixels = decode_jpeg(
            content,
            "GRAY" if grey or colours == "Gray" else "RGB",
            min_height=shape[0],
            min_width=shape[1],
            min_factor=reduction,
        )
    except ValueError:
        return None
    if pixels.shape[:2] != shape:
        return None
    return Drafted(pixels, (width, height), reduction, _has_metadata(content))
