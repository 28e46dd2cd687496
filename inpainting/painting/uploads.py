"""Images that a browser sends: refused by their header if they are too large, then decoded.

No name from outside is opened: an upload is decoded from a temporary file with a name of ours.
"""

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from inpainting.errors import InputError
from inpainting.images.decoding import BROKEN, ORIENTATION

# Decoders of other formats are never tried; some start further programs.
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}
SUFFIXES = FORMATS | {"MPO": "jpg"}  # a JPEG in which a telephone keeps further images
UNTURNED = ("PNG", "WEBP", "BMP", "GIF")
MILLION = 1_000_000

Decoded = TypeVar("Decoded")


class Upload:
    """The bytes of an image file, whose header has been read.

    Args:
        content: of the file
        name: what the file is, for messages
        megapixels: the largest image that is decoded

    Raises:
        InputError: it is empty, of another format, broken or too large.
    """

    def __init__(self, content: bytes, name: str, megapixels: float):
        self.content, self.name = content, name
        if not content:
            raise InputError(f"{name} is missing: choose a file")
        try:
            # No pixel is decoded here.
            with Image.open(io.BytesIO(content), formats=list(FORMATS)) as opened:
                self.width, self.height = opened.size
                self.format = opened.format
                self.turned = opened.getexif().get(ORIENTATION, 1) != 1
        except Image.DecompressionBombError:
            raise InputError(
                f"{name} has too many pixels: the page takes {megapixels:g} million"
            ) from None
        except BROKEN:
            raise InputError(
                f"{name} cannot be read: choose a JPEG, PNG, WebP, TIFF, BMP or GIF file that "
                "opens in other programs"
            ) from None
        if self.width * self.height > megapixels * MILLION:
            raise InputError(
                f"{name} has {self.width} x {self.height} pixels, more than the "
                f"{megapixels:g} million that the page takes: shrink it, or type a larger "
                "megapixels= where the page was started"
            )

    def decoded(self, read: Callable[[Path], Decoded]) -> Decoded:
        """Decode the whole file.

        Args:
            read: such as `read_photo` or `read_mask`

        Raises:
            InputError: the file is broken.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"upload.{SUFFIXES[self.format]}"
            path.write_bytes(self.content)
            try:
                return read(path)
            except InputError as error:
                raise InputError(str(error).replace(str(path), self.name)) from None

    @property
    def browsers_show_it(self) -> bool:
        """True if a browser shows the file as `read_photo` decodes it."""
        # Browsers turn a JPEG upright; not all of them turn other formats.
        return self.format in ("JPEG", "MPO") or (self.format in UNTURNED and not self.turned)


def grey_levels(hole: Tensor) -> bytes:
    """Return a mask (1, 1, H, W) in [0, 1] as H x W bytes."""
    return (hole[0, 0] * 255).round().numpy().astype(np.uint8).tobytes()
