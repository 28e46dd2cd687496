"""Photographs of every kind and size, filled as a user types it: known pixels bit for bit."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import typed_in
from PIL import Image, ImageOps


def pixels(width: int, height: int, channels: int, dtype=np.uint8) -> np.ndarray:
    """A smooth image with some noise; alpha, where there is one, is noise as well."""
    rng = np.random.default_rng([width, height, channels])
    top = np.iinfo(dtype).max
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    smooth = np.stack([0.8 * x, 0.8 * y, 0.4 * (x + y), 0.5 + 0 * x], -1)[..., :channels]
    noisy = smooth + 0.2 * rng.random(smooth.shape)
    if channels == 4:
        noisy[..., 3] = rng.random((height, width))
    return (noisy * top).astype(dtype)


def pil(array: np.ndarray, mode: str | None = None) -> Image.Image:
    return Image.fromarray(array.squeeze(), mode)


def palette(array: np.ndarray) -> Image.Image:
    return pil(array).quantize(50)


def rotated(path: Path, array: np.ndarray) -> None:
    exif = Image.Exif()
    exif[274] = 6  # EXIF's orientation: turn clockwise to see it
    pil(array).save(path, exif=exif)


# By the name of the file: width and height as seen, and what writes it.
PICTURES: dict[str, tuple[int, int, Callable[[Path], object]]] = {
    "grey.png": (40, 50, lambda path: pil(pixels(40, 50, 1)).save(path)),
    "kinds/rgb.png": (33, 47, lambda path: pil(pixels(33, 47, 3)).save(path)),
    "kinds/rgba.png": (45, 36, lambda path: pil(pixels(45, 36, 4)).save(path)),
    "kinds/deep/grey16.png": (
        40, 50, lambda path: cv2.imwrite(str(path), pixels(40, 50, 1, np.uint16))
    ),
    "kinds/deep/rgb16.png": (
        50, 40, lambda path: cv2.imwrite(str(path), pixels(50, 40, 3, np.uint16))
    ),
    "kinds/inks.jpg": (50, 40, lambda path: pil(pixels(50, 40, 3)).convert("CMYK").save(path)),
    "kinds/palette.png": (50, 40, lambda path: palette(pixels(50, 40, 3)).save(path)),
    "kinds/rotated.jpg": (40, 60, lambda path: rotated(path, pixels(60, 40, 3))),
    "sizes/smaller than the network.png": (20, 30, lambda path: pil(pixels(20, 30, 3)).save(path)),
    "sizes/exactly.png": (32, 32, lambda path: pil(pixels(32, 32, 3)).save(path)),
    "sizes/ä large one.jpg": (300, 200, lambda path: pil(pixels(300, 200, 3)).save(path)),
}  # fmt: skip


def holes(width: int, height: int) -> list[tuple[slice, slice]]:
    """One inside; in a large image also at a corner, at an edge, and one larger than 32 px."""
    inside = (slice(height // 3, height // 2), slice(width // 3, width // 2))
    if width < 100:
        return [inside]
    corner, edge = (slice(0, 9), slice(0, 12)), (slice(180, 200), slice(140, 160))
    return [inside, corner, edge, (slice(20, 110), slice(180, 290))]


def mask(width: int, height: int) -> np.ndarray:
    hole = np.zeros((height, width), np.uint8)
    for region in holes(width, height):
        hole[region] = 255
    return hole


def stored(path: Path) -> np.ndarray:
    """The pixels of a file as seen, (H, W, C), read by other means than the product's."""
    if path.suffix == ".png" and "palette" not in path.name:
        array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        return array.reshape(*array.shape[:2], -1)
    array = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    return array[..., ::-1]  # OpenCV's order


def write_images(folder: Path, inverted: bool = False) -> None:
    for name, (width, height, write) in PICTURES.items():
        image = folder / "photos" / name
        partner = (folder / "masks" / name).with_suffix(".png")
        for path in (image, partner):
            path.parent.mkdir(parents=True, exist_ok=True)
        write(image)
        hole = mask(width, height)
        Image.fromarray(255 - hole if inverted else hole).save(partner)


@pytest.fixture(scope="module", params=["glcic", "telea"])
def method(request: pytest.FixtureRequest, trained: Path) -> list[str]:
    """What is typed to name the method."""
    chosen = [f"run={trained}"] if request.param == "glcic" else ["model=telea"]
    return [*chosen, "trainer=cpu", "callbacks.progress=null"]


@pytest.fixture(scope="module")
def filled(method: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos`, `masks` and `filled`."""
    folder = tmp_path_factory.mktemp("predict")
    write_images(folder)
    with typed_in(folder) as run:
        run("predict", *method, "input=photos", "masks=masks", "out=filled")
    return folder


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_and_size_is_filled_and_known_pixels_stay(filled: Path, name: str) -> None:
    width, height, _ = PICTURES[name]
    before, result = filled / "photos" / name, (filled / "filled" / name).with_suffix(".png")
    after, expected = stored(result), stored(before)
    assert after.dtype == expected.dtype
    assert after.shape == expected.shape == (height, width, expected.shape[2])
    with Image.open(result) as written, Image.open(before) as given:
        plain = given.mode not in ("P", "CMYK") and "16" not in name
        assert written.mode == given.mode if plain else written.format == "PNG"
    hole = mask(width, height) > 0
    np.testing.assert_array_equal(after[~hole], expected[~hole])
    np.testing.assert_array_equal(after[..., 3:], expected[..., 3:])  # alpha is no hole's
    colours = after[..., :3].shape[2]
    for region in holes(width, height):
        changed = (after[region] != expected[region])[..., :colours].any(-1)
        assert changed.mean() > 0.9


def test_no_image_is_left_out_and_none_is_added(filled: Path) -> None:
    written = {path.relative_to(filled / "filled").as_posix() for path in
               (filled / "filled").rglob("*") if path.is_file()}  # fmt: skip
    assert written == {Path(name).with_suffix(".png").as_posix() for name in PICTURES}


def test_masks_with_black_holes_give_the_same(
    command, tmp_path: Path, method: list[str], filled: Path
) -> None:
    write_images(tmp_path, inverted=True)
    command("predict", *method, "input=photos", "masks=masks", "out=filled", "mask_hole=black")
    for name in PICTURES:
        path = Path("filled", name).with_suffix(".png")
        np.testing.assert_array_equal(stored(tmp_path / path), stored(filled / path))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_one_mask_serves_all_splits_and_namesakes_do_not_overwrite_each_other(
    command, tmp_path: Path, method: list[str]
) -> None:
    save(tmp_path / "photos/a.png", pixels(40, 36, 3))
    save(tmp_path / "photos/a.jpg", 255 - pixels(40, 36, 3))
    save(tmp_path / "photos/b.c.png", pixels(40, 36, 3))
    save(tmp_path / "mask.png", mask(40, 36))
    command("predict", *method, "input=photos", "masks=mask.png", "out=filled")
    known = mask(40, 36) == 0
    for before, after in (("a.png", "a.png.png"), ("a.jpg", "a.jpg.png"), ("b.c.png", "b.c.png")):
        before, after = stored(tmp_path / "photos" / before), stored(tmp_path / "filled" / after)
        np.testing.assert_array_equal(after[known], before[known])
    assert len(list((tmp_path / "filled").iterdir())) == 3


def test_a_soft_mask_blends_in_proportion(command, tmp_path: Path, method: list[str]) -> None:
    soft = np.zeros((36, 40), np.uint8)
    soft[10:20, 10:30] = np.linspace(1, 255, 20).astype(np.uint8)
    save(tmp_path / "photo.png", pixels(40, 36, 3))
    save(tmp_path / "mask.png", soft)
    command("predict", *method, "input=photo.png", "masks=mask.png")
    (result,) = tmp_path.glob("outputs/predict/*/*/filled/photo.png")
    before, after = stored(tmp_path / "photo.png").astype(int), stored(result).astype(int)
    np.testing.assert_array_equal(after[soft == 0], before[soft == 0])
    # No more of the prediction, at most 255 away, than the mask's share.
    assert (abs(after - before) <= soft[..., None].astype(int) + 1).all()
    assert (after != before)[soft > 200].any(-1).mean() > 0.9


def test_a_method_for_grey_images_leaves_known_colours(command, tmp_path: Path) -> None:
    save(tmp_path / "photo.png", pixels(40, 36, 3))
    save(tmp_path / "mask.png", mask(40, 36))
    typed = ["input=photo.png", "masks=mask.png", "out=filled"]
    command("predict", "model=telea", "data.channels=1", "trainer=cpu", *typed)
    before, after = stored(tmp_path / "photo.png"), stored(tmp_path / "filled/photo.png")
    hole = mask(40, 36) > 0
    np.testing.assert_array_equal(after[~hole], before[~hole])
    assert (np.ptp(after[hole], axis=-1) == 0).all()


def test_one_setting_at_a_time(failure: Callable[..., str]) -> None:
    assert "type the command once for each" in failure("predict", "-m", "model=telea,mean_fill")


def test_a_result_is_replaced_only_when_asked(
    command, failure, tmp_path: Path, method: list[str]
) -> None:
    save(tmp_path / "photo.png", pixels(40, 36, 3))
    save(tmp_path / "mask.png", mask(40, 36))
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled/photo.png").write_bytes(b"mine")
    typed = [*method, "input=photo.png", "masks=mask.png", "out=filled"]
    message = failure("predict", *typed)
    assert "filled/photo.png" in message and "overwrite=true" in message
    assert (tmp_path / "filled/photo.png").read_bytes() == b"mine"
    command("predict", *typed, "overwrite=true")
    assert stored(tmp_path / "filled/photo.png").shape == (36, 40, 3)


def test_several_completions_are_numbered(command, tmp_path: Path, method: list[str]) -> None:
    save(tmp_path / "photo.png", pixels(70, 50, 3))
    save(tmp_path / "mask.png", mask(70, 50))
    several = "model.num_completions=2" if "run=" in method[0] else "+model.num_completions=2"
    command("predict", *method, several, "input=photo.png", "masks=mask.png", "out=filled")
    assert {p.name for p in (tmp_path / "filled").iterdir()} == {"photo_1.png", "photo_2.png"}
    known = mask(70, 50) == 0
    for path in (tmp_path / "filled").iterdir():
        np.testing.assert_array_equal(stored(path)[known], stored(tmp_path / "photo.png")[known])


def test_photographs_with_the_masks_published_beside_them(
    command, tmp_path: Path, method: list[str], real_data
) -> None:
    folder = real_data("masks") / "pairs" / "deepfill_white_is_hole"
    names = [path.stem for path in (folder / "images").iterdir()]
    for name in names:  # the published masks are not always their image's size
        with Image.open(folder / "images" / f"{name}.jpg") as image:
            size = image.size
        with Image.open(folder / "masks" / f"{name}.png") as published:
            assert published.size == size
    command(
        "predict", *method, f"input={folder / 'images'}", f"masks={folder / 'masks'}", "out=filled"
    )
    assert {path.stem for path in (tmp_path / "filled").iterdir()} == set(names)
    for name in names:
        before = stored(folder / "images" / f"{name}.jpg")
        known = cv2.imread(str(folder / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE) == 0
        np.testing.assert_array_equal(stored(tmp_path / f"filled/{name}.png")[known], before[known])
