"""JPEGs that are read by the quick way have the pixels of PIL, and PIL reads all that it cannot."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inpainting.errors import InputError
from inpainting.images import decoding
from inpainting.images.decoding import decode
from inpainting.images.files import centre_square, read_uint8

WIDTH, HEIGHT = 322, 251  # odd: a half of them is rounded


def photograph(width: int = WIDTH, height: int = HEIGHT, mode: str = "RGB") -> Image.Image:
    """Coloured blobs."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(
        cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    ).convert(mode)


def by_pil(path: Path, mode: str, side: int, reduction: int) -> np.ndarray:
    """The centre square at a reduced scale, read by PIL alone."""
    with Image.open(path) as opened:
        box = [value / reduction for value in centre_square(*opened.size)]
        opened.draft(mode, (2 * side, 2 * side))
        pixels = np.asarray(
            opened.convert(mode).resize((side, side), Image.Resampling.BILINEAR, box=box)
        )
    return pixels.reshape(side, side, len(mode)).astype(int)


@pytest.fixture
def no_pil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a file with PIL fails."""

    def fail(*_: object) -> None:
        raise AssertionError("read by PIL")

    monkeypatch.setattr(decoding, "_decode", fail)


@pytest.mark.parametrize(("side", "reduction"), [(15, 8), (30, 4), (60, 2), (80, 1)])
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"subsampling": 0, "progressive": True, "optimize": True}),
        ("RGB", {"subsampling": 1, "restart_marker_blocks": 4, "quality": 30, "icc_profile": b"x"}),
        ("L", {}),
    ],
    ids=["usual", "progressive", "low", "grey"],
)
def test_an_ordinary_jpeg_has_the_pixels_that_pil_gives_it(
    tmp_path: Path, no_pil: None, side: int, reduction: int, mode: str, options: dict
) -> None:
    path = tmp_path / "photo.jpg"
    photograph(mode=mode).save(path, **{"quality": 90, **options})
    for wanted in ("RGB", "L"):
        with Image.open(path) as opened:
            opened.draft(wanted, (2 * side, 2 * side))
            expected = np.asarray(opened)
        stored = decode(path, draft=(wanted, 2 * side))
        np.testing.assert_array_equal(stored.pixels.squeeze(), expected)
        assert stored.size == (WIDTH, HEIGHT) and stored.reduction == reduction
        read = read_uint8(path, len(wanted), side).astype(int)
        assert np.abs(read - by_pil(path, wanted, side, reduction)).max() <= 1


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(320, 240, 64), (240, 320, 64), (64, 64, 64), (40, 30, 64), (321, 189, 64), (218, 178, 100)],
)
def test_a_part_is_resized_with_the_filter_of_pil(
    tmp_path: Path, width: int, height: int, side: int
) -> None:
    path = tmp_path / "a.png"  # at its full size
    photograph(width, height).save(path)
    windows = [centre_square, lambda *_: (0, 2, 28, 30), lambda *_: (2.5, 1, 26.5, 25)]
    for window in windows:
        with Image.open(path) as opened:
            box = window(width, height)
            expected = opened.resize((side, side), Image.Resampling.BILINEAR, box=box)
        read = read_uint8(path, 3, side, window).astype(int)
        assert np.abs(read - np.asarray(expected)).max() <= 1


def test_pil_reads_what_is_no_ordinary_jpeg(tmp_path: Path) -> None:
    inks, rgb, odd = (tmp_path / name for name in ("inks.jpg", "rgb.jpg", "odd.jpg"))
    photograph(mode="CMYK").save(inks, quality=95)
    photograph().save(rgb, keep_rgb=True)
    photograph().save(odd)
    content = odd.read_bytes()
    odd.write_bytes(content[:20] + b"\x00" * 3 + content[20:])  # libjpeg warns
    for path in (inks, rgb, odd):
        with Image.open(path) as opened:
            square = opened.convert("RGB").resize(
                (80, 80), Image.Resampling.BILINEAR, box=centre_square(WIDTH, HEIGHT)
            )
        read = read_uint8(path, 3, 80).astype(int)
        assert np.abs(read - np.asarray(square)).max() <= 1


def test_a_reduced_jpeg_is_turned_upright_by_exif_or_xmp(tmp_path: Path) -> None:
    photograph().save(tmp_path / "stored.jpg")
    stored = read_uint8(tmp_path / "stored.jpg", 3, 60)
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = 3
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="3"/></x:xmpmeta>'
    for name, options in {"exif": {"exif": exif}, "xmp": {"xmp": xmp}}.items():
        path = tmp_path / f"{name}.jpg"
        photograph().save(path, icc_profile=b"x" * 70_000, **options)
        np.testing.assert_array_equal(read_uint8(path, 3, 60), stored[::-1, ::-1], err_msg=name)


def test_a_truncated_jpeg_is_refused_at_a_reduced_size_too(tmp_path: Path) -> None:
    photograph().save(tmp_path / "cut.jpg")
    content = (tmp_path / "cut.jpg").read_bytes()
    for length in (2, 30, len(content) // 2, len(content) - 40):
        (tmp_path / "cut.jpg").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.jpg cannot be read as an image"):
            read_uint8(tmp_path / "cut.jpg", 3, 20)
