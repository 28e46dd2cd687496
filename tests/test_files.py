"""Pixels of every kind of image file, against arrays written by other means."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
import torch
import torch.nn.functional as F
from PIL import Image

from inpainting.errors import InputError
from inpainting.images.files import Photo, read_mask, read_photo, read_uint8
from inpainting.images.listing import list_images

HEIGHT, WIDTH = 9, 14
# EXIF 2.3, tag 274: where the stored row 0 and the stored column 0 are in the image as seen.
SEEN = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def noise(channels: int, dtype=np.uint8, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(channels).integers(0, top, (height, width, channels), dtype)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_png(path, pixels: np.ndarray, *extra: bytes) -> None:
    """A PNG by the letter of its specification, for what PIL cannot write."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, kind, 0, 0, 0)
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def depth_and_kind(path) -> tuple[int, int]:
    return tuple(path.read_bytes()[24:26])


def as_seen(stored: np.ndarray, orientation: int) -> np.ndarray:
    row_side, column_side = SEEN[orientation]
    height, width = stored.shape[:2]
    upright = orientation <= 4
    seen = np.zeros((height, width) if upright else (width, height), stored.dtype)
    for row in range(height):
        for column in range(width):
            y, x = (row, column) if upright else (column, row)
            y = seen.shape[0] - 1 - y if "bottom" in (row_side, column_side) else y
            x = seen.shape[1] - 1 - x if "right" in (row_side, column_side) else x
            seen[y, x] = stored[row, column]
    return seen


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_is_read_with_all_its_bits(tmp_path, channels, dtype):
    pixels = noise(channels, dtype)
    write_png(tmp_path / "a.png", pixels)
    photo = read_photo(tmp_path / "a.png")
    if (
        channels == 2 and dtype == np.uint16
    ):  # the one kind that changes its mode: no tool writes it
        pixels = pixels[..., [0, 0, 0, 1]]
    assert photo.pixels.dtype == dtype
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_is_read_with_all_its_bits(tmp_path, channels, dtype):
    pixels = noise(channels, dtype)
    order = [2, 1, 0, 3][:channels]
    assert cv2.imwrite(str(tmp_path / "a.tif"), pixels[..., order])
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, pixels)


def test_sixteen_bit_grey_tiff_keeps_its_bits(tmp_path):
    pixels = noise(1, np.uint16)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, pixels)


def test_a_palette_becomes_its_colours_and_its_transparency_alpha(tmp_path):
    palette = np.array([[250, 0, 10], [3, 200, 40], [7, 8, 90]], np.uint8)
    indices = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH), np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=1)
    np.testing.assert_array_equal(read_photo(tmp_path / "plain.png").pixels, palette[indices])
    clear = read_photo(tmp_path / "clear.png").pixels
    np.testing.assert_array_equal(clear[..., :3], palette[indices])
    np.testing.assert_array_equal(clear[..., 3], np.where(indices == 1, 0, 255))


def test_one_bit_cmyk_and_animations_become_plain_images(tmp_path):
    bits = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.5
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "bits.png").pixels[..., 0], bits * 255)

    inks = noise(4)
    Image.fromarray(inks, "CMYK").save(tmp_path / "inks.tif")
    light = (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255
    np.testing.assert_allclose(read_photo(tmp_path / "inks.tif").pixels, light, atol=1.01)

    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    first = read_photo(tmp_path / "film.gif").pixels
    np.testing.assert_array_equal(first[..., :3], np.full((HEIGHT, WIDTH, 3), (255, 0, 0)))


@pytest.mark.parametrize("orientation", SEEN)
def test_a_rotated_image_stands_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    grey = noise(1)[..., 0]
    for name in ("a.png", "a.tif"):
        Image.fromarray(grey).save(tmp_path / name, exif=exif)
        seen = read_photo(tmp_path / name).pixels[..., 0]
        np.testing.assert_array_equal(seen, as_seen(grey, orientation), err_msg=name)

    deep = noise(3, np.uint16)
    write_png(tmp_path / "deep.png", deep, chunk(b"eXIf", exif.tobytes()[6:]))
    for channel in range(3):
        seen = read_photo(tmp_path / "deep.png").pixels[..., channel]
        np.testing.assert_array_equal(seen, as_seen(deep[..., channel], orientation))

    tifffile.imwrite(
        tmp_path / "deep.tif", deep, photometric="rgb", extratags=[(274, "H", 1, orientation, True)]
    )
    np.testing.assert_array_equal(
        read_photo(tmp_path / "deep.tif").pixels, read_photo(tmp_path / "deep.png").pixels
    )

    halves = np.zeros((32, 64), np.uint8)  # a JPEG is lossy: look at a bright upper left corner
    halves[:8, :16] = 255
    Image.fromarray(halves).save(tmp_path / "a.jpg", exif=exif)
    truth = as_seen(halves, orientation)
    assert np.abs(read_photo(tmp_path / "a.jpg").pixels[..., 0].astype(int) - truth).mean() < 2
    assert read_uint8(tmp_path / "deep.tif", 3, 4).shape == (4, 4, 3)
    small = read_uint8(tmp_path / "a.jpg", 1, 8)[..., 0]
    edge = (max(truth.shape) - 32) // 2
    square = truth[:, edge : edge + 32] if truth.shape[1] == 64 else truth[edge : edge + 32]
    assert np.abs(small - square.reshape(8, 4, 8, 4).mean((1, 3))).mean() < 8


def test_grey_becomes_rgb_and_rgb_grey_as_a_method_needs(tmp_path):
    grey, colour = noise(1), noise(4, np.uint16)
    write_png(tmp_path / "grey.png", grey)
    write_png(tmp_path / "colour.png", colour)
    tensor = read_photo(tmp_path / "grey.png").to_tensor(3)
    assert tensor.shape == (1, 3, HEIGHT, WIDTH)
    np.testing.assert_array_equal(tensor[0, 2].numpy() * 255, grey[..., 0].astype(np.float32))
    tensor = read_photo(tmp_path / "colour.png").to_tensor(1)
    luminance = (0.299 * colour[..., 0] + 0.587 * colour[..., 1] + 0.114 * colour[..., 2]) / 65535
    np.testing.assert_allclose(tensor[0, 0].numpy(), luminance, atol=1e-6)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    ("channels", "dtype"),
    [(c, d) for c in (1, 2, 3, 4) for d in (np.uint8, np.uint16) if (c, d) != (2, np.uint16)],
)
def test_filling_leaves_known_pixels_and_alpha_bit_for_bit(tmp_path, channels, dtype, colours):
    pixels = noise(channels, dtype)
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 2:5, 3:8] = 1
    mask[..., 5, 3:8] = 0.25
    prediction = torch.full((1, colours, HEIGHT, WIDTH), 0.75)
    filled = Photo(pixels).fill(prediction, mask)
    filled.save(tmp_path / "out.png")
    kind = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    assert depth_and_kind(tmp_path / "out.png") == (8 * pixels.itemsize, kind)

    plain = 1 if channels <= 2 else 3
    truth = pixels.copy()
    truth[2:5, 3:8, :plain] = round(0.75 * np.iinfo(dtype).max)
    after = read_photo(tmp_path / "out.png").pixels
    if (plain, colours) == (3, 1):  # of a grey network, the soft edge's own share is grey too
        assert (np.ptp(after[5, 3:8, :3], axis=-1) == 0).all()
    else:
        soft = 0.25 * 0.75 * np.iinfo(dtype).max + 0.75 * pixels[5, 3:8, :plain].astype(float)
        np.testing.assert_allclose(after[5, 3:8, :plain], soft, atol=0.51)
    truth[5, 3:8, :plain] = after[5, 3:8, :plain]
    np.testing.assert_array_equal(after, truth)


def test_filling_with_the_photo_itself_changes_no_bit():
    for channels in (1, 3):
        photo = Photo(noise(channels, np.uint16, 64, 64))
        for colours in {channels, 3}:
            same = photo.fill(photo.to_tensor(colours), torch.ones(1, 1, 64, 64))
            np.testing.assert_array_equal(same.pixels, photo.pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_colour_profile_is_kept(tmp_path, dtype):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Photo(noise(3, dtype), profile).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.profile == profile
    np.testing.assert_array_equal(photo.pixels, noise(3, dtype))


def test_a_lossy_name_is_refused():
    with pytest.raises(InputError, match="out.jpg.*png"):
        Photo(noise(3)).save("out.jpg")


def test_a_data_set_image_is_the_shrunk_centre_square(tmp_path):
    pixels = cv2.GaussianBlur(noise(3, np.uint8, 60, 100), (0, 0), 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    square = torch.from_numpy(pixels[:, 20:80]).permute(2, 0, 1)[None].float()
    truth = F.interpolate(square, (16, 16), mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    # PIL shrinks the two sides one after the other and rounds to 8 bits in between.
    np.testing.assert_allclose(read_uint8(tmp_path / "a.png", 3, 16), truth, atol=2)


def test_a_jpeg_decoded_at_a_reduced_scale_is_the_same_image(tmp_path):
    import skimage.data

    # Odd sides: half of them is no whole number, which must not move the centre.
    Image.fromarray(skimage.data.astronaut()[:411, :443]).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        square = opened.crop((16, 0, 427, 411)).resize((64, 64), Image.Resampling.BILINEAR)
    full = np.asarray(square).astype(float)
    small = read_uint8(tmp_path / "a.jpg", 3, 64)
    assert 10 * np.log10(255**2 / np.mean((small - full) ** 2)) > 40
    grey = full @ [0.299, 0.587, 0.114]
    assert np.abs(read_uint8(tmp_path / "a.jpg", 1, 64)[..., 0] - grey).mean() < 1


def test_data_set_images_from_deep_clear_and_tiny_files(tmp_path):
    deep = np.full((8, 8, 3), (257 * 99 + 128, 257 * 99 + 129, 65535), np.uint16)
    write_png(tmp_path / "deep.png", deep)  # 99.498 rounds down, 99.502 up
    assert read_uint8(tmp_path / "deep.png", 3, 4)[0, 0].tolist() == [99, 100, 255]

    clear = np.full((8, 8, 4), (200, 100, 0, 51), np.uint8)  # a fifth of it, the rest white
    write_png(tmp_path / "clear.png", clear)
    assert read_uint8(tmp_path / "clear.png", 3, 4)[0, 0].tolist() == [244, 224, 204]

    write_png(tmp_path / "tiny.png", np.full((2, 3, 1), 77, np.uint8))
    assert (read_uint8(tmp_path / "tiny.png", 3, 16) == 77).all()


@pytest.mark.parametrize(
    "kind", ["truncated.jpg", "truncated.png", "text.png", "missing.png", "F.tif"]
)
def test_a_broken_file_is_named(tmp_path, kind):
    path = tmp_path / kind
    if kind == "truncated.jpg":
        Image.fromarray(noise(3, np.uint8, 64, 64)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "truncated.png":
        write_png(path, noise(3, np.uint16, 64, 64))
        path.write_bytes(path.read_bytes()[:8000])
    elif kind == "text.png":
        path.write_text("no image")
    elif kind == "F.tif":
        Image.fromarray(np.ones((4, 4), np.float32)).save(path)
    for read in (read_photo, read_mask, lambda path: read_uint8(path, 3, 8)):
        with pytest.raises(InputError, match=kind):
            read(path)


def test_a_mask_is_one_in_the_hole_whatever_its_file(tmp_path):
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[2:6, 3:9] = True
    grey = (hole * 255).astype(np.uint8)
    files = {
        "bits.png": Image.fromarray(hole),
        "grey.png": Image.fromarray(grey),
        "deep.png": Image.fromarray(hole.astype(np.uint16) * 65535),
        "rgb.png": Image.fromarray(np.stack([grey] * 3, -1)),
        "opaque.png": Image.fromarray(np.stack([grey] * 3 + [np.full_like(grey, 255)], -1)),
        "palette.gif": Image.fromarray(grey).convert("P"),
    }
    for name, image in files.items():
        image.save(tmp_path / name)
        mask = read_mask(tmp_path / name)
        assert mask.shape == (1, 1, HEIGHT, WIDTH) and mask.dtype == torch.float32
        np.testing.assert_array_equal(mask[0, 0], hole, err_msg=name)
        np.testing.assert_array_equal(
            read_mask(tmp_path / name, "black")[0, 0], ~hole, err_msg=name
        )


def test_a_mask_keeps_soft_edges_and_finds_a_drawing_in_alpha(tmp_path):
    Image.fromarray(np.full((4, 4), 51, np.uint8)).save(tmp_path / "soft.png")
    assert torch.allclose(read_mask(tmp_path / "soft.png"), torch.tensor(0.2))
    assert torch.allclose(read_mask(tmp_path / "soft.png", "black"), torch.tensor(0.8))

    strokes = np.zeros((4, 4, 4), np.uint8)
    strokes[1, :, 3] = 255
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "strokes.png")[0, 0], strokes[..., 3] / 255)
    with pytest.raises(InputError, match="grey"):
        read_mask(tmp_path / "soft.png", hole="grey")


def test_the_images_of_a_folder_are_found_at_any_depth(tmp_path):
    for name in ("b.JPG", "a/x.png", "a/deep/y.TiFF", "c.txt", ".hidden.png", ".cache/z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ["a/deep/y.TiFF", "a/x.png", "b.JPG"]
    with pytest.raises(InputError, match="nowhere"):
        list_images(tmp_path / "nowhere")


def test_a_jpeg_mask_has_two_values(tmp_path):
    drawn = np.zeros((40, 40), np.uint8)
    drawn[10:23, 11:29] = 255
    Image.fromarray(drawn).save(tmp_path / "mask.jpg", quality=60)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "mask.jpg")))) > 2
    for hole in ("white", "black"):
        mask = read_mask(tmp_path / "mask.jpg", hole)[0, 0].numpy()
        assert np.array_equal(mask, (drawn > 0) if hole == "white" else (drawn == 0))
