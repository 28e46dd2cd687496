"""Photographs of every kind and size, filled as a user types it: known pixels bit for bit."""

import errno
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import typed_in
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from PIL import Image, ImageCms, ImageOps

import inpainting
from inpainting import CONF
from inpainting.errors import InputError
from inpainting.filling.command import fill_files
from inpainting.images.photo import Photo


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


@pytest.fixture(scope="module")
def of_telea() -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONF, version_base="1.3"):
        typed = ["model=telea", "trainer=cpu", "callbacks=none", "paths.run=run"]
        return compose("predict", typed)


Fill = Callable[..., str]


@pytest.fixture
def fill(
    of_telea: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> Callable[..., str]:
    """What `predict` does in an empty folder; returns what it prints, or its error's sentence.

    By itself it fills the photos a, b and c with a mask each.
    """
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        save(tmp_path / f"photos/{name}.png", pixels(40, 36, 3))
        save(tmp_path / f"masks/{name}.png", mask(40, 36))

    def run(**keys: object) -> str:
        config = of_telea.copy()
        for key, value in {"input": "photos", "masks": "masks", "out": "filled", **keys}.items():
            config[key] = value
        try:
            fill_files(config)
        except InputError as error:
            return f"error: {error}"
        finally:
            printed = capsys.readouterr().out
        return printed

    return run


def test_all_missing_masks_are_named_at_once_and_skip_leaves_their_images_out(
    fill: Fill, tmp_path: Path
) -> None:
    for name in "bc":
        (tmp_path / f"masks/{name}.png").rename(tmp_path / f"masks/other_{name}.png")
    message = fill()
    assert "2 of 3" in message and "b.png" in message and "c.png" in message
    assert not (tmp_path / "filled").exists()
    printed = fill(skip=True)
    assert "2 mask(s) belong to no image: masks/other_b.png, masks/other_c.png" in printed
    assert "Left out, without a mask: 2 image(s)" in printed and "Filled 1 image(s)" in printed


def test_one_mask_of_another_size_stops_its_file_alone_when_told_to_skip(
    fill: Fill, tmp_path: Path
) -> None:
    save(tmp_path / "masks/b.png", mask(41, 36))
    assert "b.png is 41x36, but its image photos/b.png is 40x36" in fill()
    assert "Left out: the mask masks/b.png is 41x36" in fill(skip=True)
    assert {path.name for path in (tmp_path / "filled").iterdir()} == {"a.png", "c.png"}


def test_shares_are_printed_and_inverted_and_empty_masks_noticed(
    fill: Fill, tmp_path: Path
) -> None:
    save(tmp_path / "masks/b.png", 255 - mask(40, 36))
    save(tmp_path / "masks/c.png", 0 * mask(40, 36))
    printed = fill()
    share = 100 * (mask(40, 36) > 0).mean()
    assert f"photos/a.png, hole {share:.1f} %" in printed
    assert f"The holes cover 0.0 % to {100 - share:.1f} % of an image." in printed
    assert "1 mask(s) hide more than half of the image: masks/b.png. White is the hole" in printed
    assert "type mask_hole=black" in printed
    assert "1 mask(s) are empty, so the image is copied: photos/c.png" in printed
    np.testing.assert_array_equal(
        stored(tmp_path / "filled/c.png"), stored(tmp_path / "photos/c.png")
    )


def test_grey_specks_are_counted_and_become_hole_or_known_when_told(
    fill: Fill, tmp_path: Path
) -> None:
    specks = mask(40, 36)
    specks[2, 2:9] = 90
    save(tmp_path / "specks.png", specks)
    one = {"input": "photos/a.png", "masks": "specks.png"}
    assert "7 grey pixels in specks.png, which blend" in fill(**one, out="blended")
    assert "grey" not in fill(**one, out="rounded", mask_threshold=0.5)
    before = stored(tmp_path / "photos/a.png")[2, 2:9]
    assert (stored(tmp_path / "blended/a.png")[2, 2:9] != before).any()
    np.testing.assert_array_equal(stored(tmp_path / "rounded/a.png")[2, 2:9], before)
    Image.fromarray(mask(40, 36)).save(tmp_path / "noisy.jpg", quality=50)
    printed = fill(input="photos/a.png", masks="noisy.jpg", out="jpeg")
    assert "rounded at 0.5 as a JPEG's noise" in printed


@pytest.mark.parametrize("by", ["name", "link"])
def test_an_output_that_is_an_input_is_refused_whatever_its_name(
    fill: Fill, tmp_path: Path, by: str
) -> None:
    before = (tmp_path / "photos/b.png").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.png").hardlink_to(tmp_path / "photos/b.png")
    out = "photos" if by == "name" else "elsewhere"
    message = fill(out=out, overwrite=True)
    assert f"{out}/{'a' if by == 'name' else 'b'}.png is an input" in message
    assert (tmp_path / "photos/b.png").read_bytes() == before


def test_what_was_stopped_goes_on_where_it_stopped(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Photo.save

    def interrupted(photo: Photo, path: Path) -> None:
        if path.name == "b.png":
            raise KeyboardInterrupt
        whole(photo, path)

    monkeypatch.setattr(Photo, "save", interrupted)
    with pytest.raises(SystemExit) as stopped:
        fill()
    assert stopped.value.code == 130
    monkeypatch.setattr(Photo, "save", whole)
    assert "filled/a.png exists already" in fill(dilate=1)  # other results are not mixed with these
    first = (tmp_path / "filled/a.png").stat().st_mtime_ns
    assert "Going on: 1 of 3 are in filled" in fill()
    assert (tmp_path / "filled/a.png").stat().st_mtime_ns == first
    assert {path.name for path in (tmp_path / "filled").iterdir()} == {"a.png", "b.png", "c.png"}
    assert "filled/a.png exists already" in fill()  # what is finished is not gone on with


def test_a_full_disk_leaves_no_part_of_a_file(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(file: int) -> None:
        written.append(file)
        if len(written) == 3:  # a.png and its folder are safe
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("inpainting.atomic.os.fsync", full)
    assert "filled/b.png cannot be written (No space left on device)" in fill()
    files = {path.name for path in (tmp_path / "filled").iterdir()}
    assert files == {"a.png", ".unfinished.jsonl"}
    fill()
    assert len(list((tmp_path / "filled").glob("*.png"))) == 3


def test_exif_and_profile_are_kept_without_orientation_and_thumbnail(
    fill: Fill, tmp_path: Path
) -> None:
    thumbnail = b"\xff\xd8 a small image \xff\xd9"
    # Two directories of TIFF: orientation 6 and an artist's name in UTF-8, then the thumbnail.
    name = "Zoë Müller\0".encode()
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2)
    exif += struct.pack(">HHIHH", 274, 3, 1, 6, 0) + struct.pack(">HHII", 315, 2, len(name), 68)
    exif += struct.pack(">I", 38) + struct.pack(">H", 2)
    exif += struct.pack(">HHII", 0x201, 4, 1, 80) + struct.pack(
        ">HHII", 0x202, 4, 1, len(thumbnail)
    )
    exif += struct.pack(">I", 0) + name.ljust(12, b"\0") + thumbnail
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pil(pixels(60, 40, 3)).save(tmp_path / "photo.jpg", exif=exif, icc_profile=profile)
    save(tmp_path / "mask.png", mask(40, 60))
    fill(input="photo.jpg", masks="mask.png")
    with Image.open(tmp_path / "filled/photo.png") as filled:
        assert filled.size == (40, 60) and filled.info["icc_profile"] == profile
        assert filled.getexif()[274] == 1 and not filled.getexif().get_ifd(0x201)
        assert name in filled.info["exif"] and thumbnail not in filled.info["exif"]


def test_the_command_and_python_fill_alike(command, tmp_path: Path, trained: Path) -> None:
    save(tmp_path / "photo.png", pixels(70, 50, 3))
    save(tmp_path / "mask.png", mask(70, 50))
    typed = [f"run={trained}", "trainer=cpu", "dilate=2", "feather=3", "blend=poisson"]
    command("predict", *typed, "input=photo.png", "masks=mask.png", "out=filled")
    image = pixels(70, 50, 3)
    filled = inpainting.load(trained, device="cpu").fill(
        image, mask(70, 50), dilate=2, feather=3, blend="poisson"
    )
    np.testing.assert_array_equal(stored(tmp_path / "filled/photo.png")[..., ::-1], filled)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["glcic", "telea"])
def test_a_scan_of_24_megapixels_with_dust_takes_less_than_2_gb(
    tmp_path: Path, trained: Path, method: str
) -> None:
    rng = np.random.default_rng(0)
    dust = np.zeros((4000, 6000), np.uint8)
    for y, x, side in zip(
        rng.integers(0, 3990, 6000), rng.integers(0, 5990, 6000), rng.integers(1, 5, 6000),
        strict=True,
    ):  # fmt: skip
        dust[y : y + side, x : x + side] = 255
    for y, x in rng.integers(0, 4000, (10, 2)):
        cv2.line(dust, (int(x), 0), (int(y), 3999), 255, 2)
    save(tmp_path / "dust.png", dust)
    save(tmp_path / "scan.png", np.tile(pixels(600, 500, 3), (8, 10, 1)))
    chosen = f"run={trained}" if method == "glcic" else "model=telea"
    typed = [chosen, "trainer=cpu", "input=scan.png", "masks=dust.png", "out=filled"]
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'inpainting.predict', *sys.argv[1:]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *typed], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 2_000_000  # kB
    before, after = stored(tmp_path / "scan.png"), stored(tmp_path / "filled/scan.png")
    assert (before == after)[dust == 0].all() and (before != after)[dust > 0].mean() > 0.9
