"""Image files: read at full depth or shrunk for a data set, and filled without loss."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpainting.errors import InputError
from inpainting.images.decoding import UPRIGHT, decode

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL and JPEG

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
    pixels, orientation, _, (width, height), reduction = decode(path, draft=(mode, 2 * side))
    # Place the window at full resolution: decoding at a reduced scale rounds odd sides up, and
    # centring in the rounded size would move the centre.
    box = [value / reduction for value in (window or centre_square)(width, height)]
    square = _opaque(pixels, mode).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return UPRIGHT[orientation](np.asarray(square).reshape(side, side, channels))


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
    whole = _opaque(stored.pixels, "RGB")
    whole.thumbnail((longest, longest), Image.Resampling.BILINEAR, reducing_gap=None)
    return np.ascontiguousarray(UPRIGHT[stored.orientation](np.asarray(whole)))


def _opaque(pixels: np.ndarray, mode: str) -> Image.Image:
    """Convert decoded pixels to an 8-bit image of a mode, laid over white if it is transparent."""
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    whole = _to_pil(pixels)
    if whole.mode.endswith("A"):
        opaque = Image.new(whole.mode[:-1], whole.size, "white")
        opaque.paste(whole.convert(opaque.mode), mask=whole.getchannel("A"))
        whole = opaque
    return whole if whole.mode == mode else whole.convert(mode)


def _to_pil(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _to_channels(image: Tensor, channels: int) -> Tensor:
    """Convert (1, 1 or 3, H, W) between grey and RGB if `channels` asks for it."""
    if image.shape[1] == channels:
        return image
    if channels == 3:
        return image.expand(-1, 3, -1, -1)
    # In double precision the weights sum to 1, so that white (in a mask: a full hole) stays 1.
    weights = torch.tensor(LUMINANCE, dtype=torch.double).view(1, 3, 1, 1)
    return (image.double() * weights).sum(1, keepdim=True).float()


@dataclass(frozen=True)
class Photo:
    """An image file in memory, which can be filled and saved without loss.

    Attributes:
        pixels: (H, W, C) uint8 or uint16, upright; C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
        profile: the ICC colour profile of the file, or None
    """

    pixels: np.ndarray
    profile: bytes | None = None

    @property
    def colours(self) -> int:
        """The number of channels without alpha: 1 (grey) or 3 (RGB)."""
        return 1 if self.pixels.shape[2] <= 2 else 3

    def to_tensor(self, channels: int) -> Tensor:
        """Convert to (1, channels, H, W) float32 in [0, 1], ignoring alpha; 1 is grey, 3 is RGB."""
        values = (
            self.pixels[..., : self.colours].astype(np.float32) / np.iinfo(self.pixels.dtype).max
        )
        return _to_channels(torch.from_numpy(values).permute(2, 0, 1)[None], channels)

    def fill(self, completion: Tensor, mask: Tensor) -> "Photo":
        """Return a copy with the pixels of the completion where mask > 0.

        All other pixels, and alpha everywhere, keep their exact values.

        Args:
            completion: (1, 1 or 3, H, W) in [0, 1], the output of `composite`, which has blended
                soft edges already
            mask: (1, 1, H, W) in [0, 1], 1 = hole
        """
        size = self.pixels.shape[:2]
        assert completion.shape[2:] == mask.shape[2:] == size, f"{completion.shape}, {size}"
        values = _to_channels(completion.detach().float().cpu(), self.colours)[0].permute(1, 2, 0)
        levels = (values.clamp(0, 1) * np.iinfo(self.pixels.dtype).max).round().numpy()
        hole = mask[0, 0].cpu().numpy() > 0
        pixels = self.pixels.copy()
        pixels[hole, : self.colours] = levels[hole].astype(pixels.dtype)
        return replace(self, pixels=pixels)

    def save(self, path: str | Path) -> None:
        """Save as a PNG of the same size, colour mode, depth and colour profile.

        Raises:
            InputError: the name does not end in .png; other formats would lose pixels or depth.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise InputError(f"{path}: images are saved without loss; type a name ending in .png")
        channels = self.pixels.shape[2]
        if self.pixels.dtype == np.uint16 and channels != 1:
            order = cv2.COLOR_RGBA2BGRA if channels == 4 else cv2.COLOR_RGB2BGR
            encoded = cv2.imencode(".png", cv2.cvtColor(self.pixels, order))[1].tobytes()
            path.write_bytes(_with_profile(encoded, self.profile))
        else:
            _to_pil(self.pixels).save(path, icc_profile=self.profile)


def _with_profile(png: bytes, profile: bytes | None) -> bytes:
    """Insert the ICC profile as a chunk after the PNG header, which OpenCV cannot write."""
    if profile is None:
        return png
    chunk = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    length, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + length + chunk + checksum + png[33:]


def read_photo(path: str | Path) -> Photo:
    """Read an image file upright, at its full size and depth.

    Raises:
        InputError: the file does not exist, cannot be read as an image or has 32-bit pixels.
    """
    stored = decode(path)
    upright = UPRIGHT[stored.orientation](stored.pixels)
    return Photo(np.ascontiguousarray(upright), stored.profile)


def read_mask(path: str | Path, hole: str = "white") -> Tensor:
    """Read a mask file; grey levels give a soft mask, and colours count by their luminance.

    A drawing in a single colour on a transparent background carries its information only in alpha:
    there, the painted pixels are the hole, whatever the colour and whatever `hole` says. A JPEG
    mask is binarised at 0.5, because compression noise would otherwise make almost every pixel
    part of the hole.

    Args:
        path: the file
        hole: "white" or "black", the colour that marks the hole

    Returns:
        (1, 1, H, W) float32 in [0, 1], 1 = hole

    Raises:
        InputError: the file cannot be read or `hole` is another colour.
    """
    if hole not in ("white", "black"):
        raise InputError(f"the hole of a mask cannot be {hole!r}: type white or black")
    photo = read_photo(path)
    colour, alpha = photo.pixels[..., : photo.colours], photo.pixels[..., photo.colours :]
    if alpha.size and np.ptp(alpha) and (colour == colour[:1, :1]).all():
        return Photo(alpha).to_tensor(1)
    luminance = photo.to_tensor(1)
    if Path(path).suffix.lower() in (".jpg", ".jpeg"):
        luminance = (luminance > 0.5).float()
    return luminance if hole == "white" else 1 - luminance
