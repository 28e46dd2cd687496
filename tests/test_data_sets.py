"""The data sets of image files: decoding, caching, splitting, and what goes wrong."""

import json
import logging
import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import DATA_SETTINGS as BASE
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

from inpainting import CONF
from inpainting.data import arrays
from inpainting.data.augment import FlipZoom
from inpainting.data.folder import FolderDataModule
from inpainting.data.imagenette import ImagenetteDataModule
from inpainting.data.photos import PHOTOGRAPHS, PhotosDataModule
from inpainting.data.places import PlacesDataModule
from inpainting.data.splitting import split_indices
from inpainting.data.table import read_columns
from inpainting.errors import InputError
from inpainting.images.files import read_uint8
from inpainting.tasks.checks import check_stored

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture
def root(tmp_path) -> Path:
    """Twenty images of two classes, each of a colour of its own."""
    for index in range(20):
        path = tmp_path / "images" / ("cats", "dogs")[index % 2] / "deep" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (10 * index, 5, 7)).save(path)
    return tmp_path / "images"


def folder(root: Path | None, **changes) -> FolderDataModule:
    cache = root.parent / "cache" if root else "cache"
    return FolderDataModule(**{**BASE, "root": root, "cache": cache, **changes})


def all_splits(data) -> dict[str, arrays.Split]:
    return {split: data.read_split(split) for split in arrays.SPLITS}


@pytest.mark.parametrize("count", [3, 4, 7, 19, 20, 1000])
def test_a_split_is_disjoint_complete_and_never_empty(count):
    split = split_indices(count, (0.85, 0.10, 0.05), split_seed=1)
    assert sorted(np.concatenate(list(split.values()))) == list(range(count))
    assert all(len(part) for part in split.values())
    if count == 1000:
        assert [len(split[name]) for name in arrays.SPLITS] == [850, 100, 50]
        assert (np.diff(split["test"]) < 0).any()  # in an order by chance
    again = split_indices(count, split_seed=1)
    assert all((again[name] == split[name]).all() for name in split)


def test_a_split_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="3 or more"):
        split_indices(2)
    with pytest.raises(InputError, match="data.shares"):
        split_indices(100, (0.9, 0.2, 0.1))


def test_a_folder_becomes_images_with_their_names_and_classes(root):
    parts = all_splits(folder(root))
    assert [len(part.files) for part in parts.values()] == [17, 2, 1]
    for part in parts.values():
        assert part.images.shape[1:] == (16, 16, 3) and isinstance(part.images, np.memmap)
        for image, file, label in zip(part.images, part.files, part.labels, strict=True):
            name, _, number = file.partition("/deep/")
            assert label == ["cats", "dogs"].index(name)
            assert (image == (10 * int(number.removesuffix(".png")), 5, 7)).all()
    assert len({file for part in parts.values() for file in part.files}) == 20


def test_a_folder_without_subfolders_has_no_labels(root):
    flat = root / "cats" / "deep"
    data = FolderDataModule(**BASE, root=flat, cache=root.parent / "cache")
    assert data.read_split("train").labels is None


def test_ready_made_splits_are_kept(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for number, where in enumerate(["train/cats", "train/dogs", "val/cats", "test/dogs", "other"]):
        path = tmp_path / "images" / where / f"{number}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (20, 20), (number, 0, 0)).save(path)
    root = tmp_path / "images"
    parts = all_splits(folder(root))
    assert {name: part.files for name, part in parts.items()} == {
        "train": ["train/cats/0.png", "train/dogs/1.png"],
        "val": ["val/cats/2.png"],
        "test": ["test/dogs/3.png"],
    }
    assert [part.labels.tolist() for part in parts.values()] == [[0, 1], [0], [1]]
    assert "2 train, 1 val, 1 test; 1 images outside of them are left out" in caplog.text

    (root / "val/cats/2.png").unlink()
    with pytest.raises(InputError, match="val contains no image"):
        folder(root).prepare_data()
    # Two of the three are divided at random as before, and a line says what is missing.
    (root / "val/cats").rmdir()
    (root / "val").rmdir()
    assert sum(len(part.files) for part in all_splits(folder(root)).values()) == 4
    assert "has the folders train and test but no val" in caplog.text


def stripe(count, height, width, generator):
    return torch.zeros(count, 1, height, width).index_fill_(3, torch.arange(4), 1)


def test_a_batch_comes_out_of_the_files(root):
    data = folder(root, mask=stripe)
    data.prepare_data()
    data.setup("test")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch["image"].shape == (1, 3, 16, 16) and batch["label"].shape == (1,)
    shade = int(Path(data.file("test", 0)).stem) * 10 / 255
    torch.testing.assert_close(batch["image"][0, 0], torch.full((16, 16), shade))


def test_images_may_be_stored_larger_than_they_are_used(root):
    augment = FlipZoom(zoom=2, side=16)
    data = folder(root, mask=stripe, decoded_size=32, augment=augment, batch_size=4)
    data.prepare_data()
    data.setup("fit")
    assert {part.images.shape[1:3] for part in all_splits(data).values()} == {(32, 32)}
    for loader, fitting in ((data.val_dataloader(), False), (data.train_dataloader(), True)):
        data.trainer = SimpleNamespace(training=fitting, current_epoch=0, global_rank=0)
        read = next(iter(loader))
        stored = read["image"].permute(0, 3, 1, 2) / 255
        batch = data.on_after_batch_transfer(read, 0)
        assert batch["image"].shape[1:] == (3, 16, 16) and batch["mask"].shape[1:] == (1, 16, 16)
        torch.testing.assert_close(batch["image"], stored[..., :16, :16])  # each has one colour
    with pytest.raises(InputError, match="decoded_size=32: a judge learns from stored images"):
        check_stored(data, "a judge")
    check_stored(folder(root), "a judge")
    with pytest.raises(InputError, match="decoded_size=8 is smaller than data.image_size=16"):
        folder(root, decoded_size=8)


def test_the_second_run_decodes_nothing(root, monkeypatch):
    first = folder(root)
    first.prepare_data()
    made = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}

    def fail(*arguments):
        raise AssertionError("decoded again")

    monkeypatch.setattr("inpainting.data.decoded.read_uint8", fail)
    second = folder(root)
    second.prepare_data()
    assert {path: path.stat().st_mtime_ns for path in second.folder.iterdir()} == made


def test_two_runs_at_once_decode_once(root, monkeypatch):
    calls = []

    def slow(path, channels, side, window):
        calls.append(path)
        time.sleep(0.02)
        return read_uint8(path, channels, side)

    monkeypatch.setattr("inpainting.data.decoded.read_uint8", slow)
    # Python 3.11's cached_property has a lock of its own, which processes would not share.
    compute = FolderDataModule.folder.func
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: compute(folder(root)), range(3)))
    assert len(calls) == 20 and len(set(folders)) == 1
    assert arrays.read(folders[0], "train").images.shape == (17, 16, 16, 3)


def test_a_flipped_byte_in_the_cache_is_found(root):
    made = folder(root).folder
    path = made / "train.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    arrays.read(made, "val")
    with pytest.raises(InputError, match=r"train.npy has changed since it was written: delete"):
        arrays.read(made, "train")


def test_another_file_or_setting_decodes_anew(root):
    first = folder(root).folder
    path = root / "cats" / "deep" / "0.png"
    before = path.stat().st_mtime_ns
    Image.new("RGB", (30, 20), (0, 99, 7)).save(path)
    os.utime(path, ns=(before + 10**9, before + 10**9))
    changed = folder(root)
    assert changed.folder != first
    colours = [part.images[:, 0, 0, 1] for part in all_splits(changed).values()]
    assert sorted(np.concatenate(colours))[-1] == 99
    others = [
        {"image_size": 8},
        {"channels": 1},
        {"split_seed": 1},
        {"shares": (0.5, 0.3, 0.2)},
        {"on_error": "skip"},
    ]
    assert len({folder(root, **other).folder for other in [{}, *others]}) == 6


@pytest.mark.parametrize("kind", ["truncated.jpg", "text.png"])
def test_a_broken_file_stops_the_run_or_is_left_out(root, kind, caplog):
    path = root / "cats" / kind
    if kind == "text.png":
        path.write_text("no image")
    else:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(InputError, match=f"{kind}.*data.on_error=skip"):
        folder(root).prepare_data()
    left = [path for path in (root.parent / "cache").iterdir() if path.suffix != ".lock"]
    assert left == []  # nothing that looks complete

    with caplog.at_level(logging.WARNING):
        parts = all_splits(folder(root, on_error="skip"))
    files = [file for part in parts.values() for file in part.files]
    assert len(files) == 20 and f"cats/{kind}" not in files
    assert [record.getMessage()[:7] for record in caplog.records] == ["1 of 21"]


@pytest.mark.parametrize("given", [None, "nowhere", "empty"])
def test_no_images_is_one_sentence_that_says_what_to_type(tmp_path, given):
    (tmp_path / "empty").mkdir()
    root = tmp_path / given if given else None
    with pytest.raises(InputError, match=r"data\.root=PATH"):
        FolderDataModule(**BASE, root=root, cache=tmp_path / "cache").prepare_data()


def test_a_prepared_folder_is_read_as_it_is_and_checked(root):
    prepared = folder(root).folder
    again = FolderDataModule(**BASE, root=prepared, cache=root.parent / "other")
    assert again.read_split("train").files == folder(root).read_split("train").files
    assert not (root.parent / "other").exists()
    with pytest.raises(InputError, match="type data.image_size=16"):
        folder(prepared, image_size=32).prepare_data()
    with pytest.raises(InputError, match="type data.channels=3"):
        folder(prepared, channels=1).prepare_data()


def test_images_that_another_version_decoded_are_not_reused(root, monkeypatch):
    before = folder(root).folder
    assert folder(root).folder == before
    monkeypatch.setattr("inpainting.data.decoded.DECODING", 99)
    assert folder(root).folder != before


def test_further_columns_of_the_csv_are_ignored(root):
    prepared = folder(root).folder
    lines = (prepared / "val.csv").read_text().splitlines()
    lines = [lines[0] + ",hole_box"] + [line + ',"1,2,3,4"' for line in lines[1:]]
    (prepared / "val.csv").write_text("\n".join(lines))
    assert arrays.read(prepared, "val").labels.shape == (2,)


def test_a_large_table_is_read_without_holding_its_other_columns(tmp_path):
    lines, columns = 5_000, 30
    with open(tmp_path / "train.csv", "w") as file:
        file.write("file," + "".join(f"box_{column}," for column in range(columns)) + "class\n")
        for line in range(lines):
            file.write(f"photographs/{line:08d}.jpg," + "123," * columns + "lake\n")
    tracemalloc.start()
    files, classes, attributes = read_columns(tmp_path / "train.csv", ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert files[lines - 1] == "photographs/00004999.jpg" and set(classes) == {"lake"}
    assert attributes.shape == (0,) and peak < 250 * lines


def test_damaged_prepared_files_are_named(root):
    prepared = folder(root).folder
    lines = (prepared / "val.csv").read_text()
    (prepared / "val.csv").write_text(lines + "x,cats\n")
    with pytest.raises(InputError, match="val.csv has 3 lines for 2 images"):
        arrays.read(prepared, "val")
    (prepared / "val.csv").write_text(lines + "x\n")
    with pytest.raises(InputError, match="line 4 of val.csv has 1 columns"):
        arrays.read(prepared, "val")
    (prepared / "val.csv").write_text(lines.replace(",dogs", ",cows").replace(",cats", ",cows"))
    with pytest.raises(InputError, match="cows"):
        arrays.read(prepared, "val")
    np.save(prepared / "test.npy", np.zeros((1, 16, 16, 3)))
    with pytest.raises(InputError, match="test.npy is float64"):
        arrays.read(prepared, "test")
    (prepared / "train.npy").write_bytes((prepared / "train.npy").read_bytes()[:1000])
    with pytest.raises(InputError, match="train"):
        arrays.read(prepared, "train")
    (prepared / "manifest.json").write_text('{"version": 0}')
    with pytest.raises(InputError, match="manifest.json has version 0"):
        arrays.read(prepared, "val")


def test_an_interrupted_writer_leaves_nothing_and_the_next_one_cleans_up(tmp_path):
    target = tmp_path / "prepared"
    (tmp_path / "prepared.part").mkdir()  # of a writer that was killed
    (tmp_path / "prepared.part" / "train.npy").write_text("half")
    with pytest.raises(KeyboardInterrupt), arrays.writing(target) as part:
        assert not any(part.iterdir())
        raise KeyboardInterrupt
    assert not any(tmp_path.iterdir())


def test_the_manifest_has_the_checksums_of_the_arrays(root):
    import hashlib

    prepared = folder(root).folder
    manifest = json.loads((prepared / "manifest.json").read_text())
    for split, details in manifest["splits"].items():
        content = (prepared / f"{split}.npy").read_bytes()
        assert details["sha256"] == hashlib.sha256(content).hexdigest()
        assert np.load(prepared / f"{split}.npy").shape == tuple(details["shape"])


@pytest.fixture
def places_root(tmp_path) -> Path:
    """A small Places365 of three categories, four training and two validation images each."""
    root = tmp_path / "places"
    names = ["/d/desert/sand", "/k/kitchen", "/m/mountain"]
    lines = [f"{name} {number}" for number, name in enumerate(names)]
    root.mkdir()
    (root / "categories_places365.txt").write_text("\n".join(lines) + "\n")
    train, val = [], []
    for number, name in enumerate(names):
        for index in range(4):
            train.append((f"{name}/{index}.png", number, f"data_256_standard{name}/{index}.png"))
        for index in range(2):
            val.append((f"{number}_{index}.png", number, f"val_256/{number}_{index}.png"))
    for lines, file in ((train, "places365_train_standard.txt"), (val, "places365_val.txt")):
        (root / file).write_text("".join(f"{name} {number}\n" for name, number, _ in lines))
        for _, number, path in lines:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (100 * number, 0, 0)).save(root / path)
    return root


def places(places_root: Path, **changes) -> PlacesDataModule:
    arguments = {"root": places_root, "cache": places_root.parent / "cache"}
    arguments["categories"] = ["mountain"]
    return PlacesDataModule(**{**BASE, **arguments, **changes})


def test_places_takes_the_named_categories_from_the_named_sources(places_root):
    data = places(places_root, categories=["mountain", "desert/sand"], sources=["train", "val"])
    parts = all_splits(data)
    files = [file for part in parts.values() for file in part.files]
    assert len(files) == 12 and sum(file.startswith("val_256/") for file in files) == 4
    for part in parts.values():  # desert/sand is drawn with shade 0, mountain with 200
        np.testing.assert_array_equal(part.images[:, 3, 3, 0], np.array([0, 200])[part.labels])
    assert len([f for part in all_splits(places(places_root)).values() for f in part.files]) == 4


def test_places_names_the_nearest_categories_to_an_unknown_one(places_root):
    with pytest.raises(InputError, match="'mountains'.*mountain"):
        places(places_root, categories=["mountains"]).prepare_data()


def test_a_part_of_places_will_do_but_not_nothing(places_root, caplog):
    (places_root / "data_256_standard/m/mountain/0.png").unlink()
    data = places(places_root)
    with caplog.at_level(logging.WARNING):
        parts = all_splits(data)
    assert sum(len(part.files) for part in parts.values()) == 3
    assert [record.getMessage()[:6] for record in caplog.records] == ["1 of 4"]
    for path in places_root.glob("data_256_standard/m/mountain/*"):
        path.unlink()
    with pytest.raises(InputError, match="none of the 4 images"):
        places(places_root).prepare_data()


def test_a_folder_that_is_not_places_says_what_to_type(tmp_path):
    with pytest.raises(InputError, match=r"categories_places365.txt.*data\.root=PATH.*download"):
        places(tmp_path).prepare_data()


def test_prepared_places_is_read_in_place_of_the_root(places_root):
    prepared = places(places_root).folder
    data = places(places_root, root=None, prepared=prepared, cache=places_root)
    assert data.folder == prepared


@pytest.mark.skipif(not (SHARED / "places").exists(), reason="needs ../shared/data/places")
def test_the_real_layout_of_places_is_read(tmp_path):
    categories = compose_data("places", tmp_path).categories
    assert len(set(categories)) == 50
    data = PlacesDataModule(
        **BASE,
        root=SHARED / "places",
        cache=tmp_path,
        categories=categories,
        sources=["train", "val"],
    )
    parts = all_splits(data)
    assert sum(len(part.files) for part in parts.values()) == 843
    for part in parts.values():
        truth = read_uint8(SHARED / "places" / part.files[3], 3, 16)
        np.testing.assert_array_equal(part.images[3], truth)


@pytest.mark.skipif(not (SHARED / "outdoor64").exists(), reason="needs ../shared/data/outdoor64")
def test_a_real_folder_is_read(tmp_path):
    data = FolderDataModule(**{**BASE, "image_size": 64}, root=SHARED / "outdoor64", cache=tmp_path)
    parts = all_splits(data)
    assert [len(part.files) for part in parts.values()] == [1939, 228, 114]
    part = parts["val"]
    names = sorted({file.split("/")[0] for file in part.files})
    assert len(names) == 8 and names[part.labels[5]] == part.files[5].split("/")[0]
    with Image.open(SHARED / "outdoor64" / part.files[5]) as opened:  # 64 px: nothing to shrink
        np.testing.assert_array_equal(part.images[5], np.asarray(opened.convert("RGB")))


def photos(**changes) -> PhotosDataModule:
    return PhotosDataModule(**{**BASE, "image_size": 64, **changes})


@pytest.mark.parametrize("size", [16, 64, 128])
def test_no_pixel_of_a_photograph_is_in_two_splits(size):
    data = photos(image_size=size, patches=(600, 100, 100))
    owner = {name: np.full((one.height, one.width), -1) for name, one in data.photographs.items()}
    sides = set()
    for number, split in enumerate(arrays.SPLITS):
        for file in data.read_split(split).files:
            name, box = file.split("@")
            top, left, side = map(int, box.split(","))
            region = owner[name][top : top + side, left : left + side]
            assert region.shape == (side, side), f"{file} leaves its photograph"
            assert np.isin(region, (-1, number)).all(), f"{file} is in two splits"
            region[:] = number
            sides.add(side)
    assert all(set(np.unique(pixels)) >= {0, 1, 2} for pixels in owner.values())
    assert sides == {s for s in (size, round(1.5 * size), 2 * size) if s <= 128 or size == 128}


def test_a_patch_is_its_region_of_the_photograph():
    import skimage.data

    part = photos().read_split("val")
    assert part.images.shape == (200, 64, 64, 3) and len(set(part.files)) == 200
    names = [file.split("@")[0] for file in part.files]
    assert set(names[:5]) == {Path(name).stem for name in PHOTOGRAPHS}
    checked = 0
    for image, file in zip(part.images, part.files, strict=True):
        name, box = file.split("@")
        top, left, side = map(int, box.split(","))
        if name == "chelsea" and side == 64:
            region = skimage.data.chelsea()[top : top + 64, left : left + 64]
            np.testing.assert_array_equal(image, region)
            checked += 1
    assert checked > 3


def test_photos_depend_on_the_split_seed_alone_and_come_in_grey_too():
    first, again = photos().read_split("test"), photos(seed=9).read_split("test")
    assert first.files == again.files and (first.images == again.images).all()
    assert photos(split_seed=1).read_split("test").files != first.files
    assert photos(channels=1).read_split("test").images.shape == (150, 64, 64, 1)


def test_photos_say_which_size_and_number_they_have():
    with pytest.raises(InputError, match="data.image_size=128"):
        photos(image_size=160)
    with pytest.raises(InputError, match="data.patches"):
        photos(image_size=128, patches=(1, 1, 900)).read_split("test")


def compose_data(name: str, cache: Path):
    with initialize_config_dir(CONF, version_base="1.3"):
        composed = compose("train", [f"data={name}", f"paths.cache={cache}"])
    return instantiate(composed.data, _convert_="all")


@pytest.mark.parametrize("name", ["folder", "places", "photos"])
def test_the_yaml_makes_the_data_set(name, tmp_path):
    data = compose_data(name, tmp_path)
    assert data.image_size == 64
    if name != "photos":
        with pytest.raises(InputError, match=r"type data\.root=PATH"):
            data.prepare_data()


@pytest.fixture
def imagenette_root(tmp_path) -> Path:
    """Ten training images and three others of two classes in Imagenette's layout."""
    for part, count in (("train", 10), ("val", 3)):
        for wordnet_id, level in (("n01440764", 10), ("n03000684", 200)):
            for index in range(count):
                path = tmp_path / "imagenette2-160" / part / wordnet_id / f"{part}_{index}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (30, 20), (level + index, 5, 7)).save(path)
    return tmp_path


def imagenette(root: Path | None, **changes) -> ImagenetteDataModule:
    own = {"root": root, "cache": "cache" if root is None else root / "cache", "size": "160px"}
    own |= {"classes": ["tench", "n03000684"], "val_share": 0.2, "download": False}
    return ImagenetteDataModule(**{**BASE, **own, **changes})


def test_imagenette_takes_classes_by_name_or_id(imagenette_root):
    splits = all_splits(imagenette(imagenette_root))
    assert {name: len(split.files) for name, split in splits.items()} == {
        "train": 16,
        "val": 4,
        "test": 6,
    }
    assert all(file.startswith("val/") for file in splits["test"].files)
    assert all(
        file.startswith("train/") for name in ("train", "val") for file in splits[name].files
    )
    assert splits["test"].labels.tolist() == [1, 1, 1, 0, 0, 0]  # chain saw comes before tench
    one = all_splits(imagenette(imagenette_root, classes=["chain_saw"]))
    assert sum(len(split.files) for split in one.values()) == 13
    assert one["test"].images[0, 0, 0, 0] >= 195


def test_what_imagenette_lacks_is_said(imagenette_root, tmp_path):
    with pytest.raises(InputError, match="no class 'chainsaw'; did you mean chain_saw"):
        imagenette(imagenette_root, classes=["chainsaw"])
    with pytest.raises(InputError, match="n02102040 has no images"):
        imagenette(imagenette_root, classes=[]).prepare_data()
    with pytest.raises(InputError, match=r"data\.size=80px: type 160px or 320px or full"):
        imagenette(imagenette_root, size="80px")
    with pytest.raises(InputError, match=r"data\.val_share=1"):
        imagenette(imagenette_root, val_share=1)
    with pytest.raises(InputError, match=r"type data\.root=PATH"):
        imagenette(None).prepare_data()


def test_the_real_imagenette_is_read(real_data, tmp_path):
    data = imagenette(real_data("imagenette"), cache=tmp_path, image_size=32, classes=["church"])
    counts = {name: len(split.files) for name, split in all_splits(data).items()}
    assert counts == {"train": 10, "val": 2, "test": 5}


def test_several_roots_are_read_as_one_data_set(root, tmp_path):
    other = tmp_path / "more"
    for index in range(5):
        path = other / "cats" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (255, index, 0)).save(path)

    def of_roots(*roots: Path) -> dict[str, arrays.Split]:
        return all_splits(FolderDataModule(**BASE, root=roots, cache=tmp_path / "cache"))

    parts = of_roots(root, other)
    files = [file for part in parts.values() for file in part.files]
    assert len(files) == 25 and sum(file.startswith("more/cats/") for file in files) == 5
    for part in parts.values():  # a class may have images in both
        assert {file.split("/")[1] for file in part.files} <= {"cats", "dogs"}
        names = [["cats", "dogs"][label] for label in part.labels]
        assert names == [file.split("/")[1] for file in part.files]
    with pytest.raises(InputError, match="lies inside"):
        of_roots(root, root / "cats")
    with pytest.raises(InputError, match="nowhere is not a folder"):
        of_roots(root, tmp_path / "nowhere")
    with pytest.raises(InputError, match="type it alone"):
        of_roots(folder(root).folder, other)


def test_many_images_are_told_about_prepare(root, monkeypatch, caplog):
    monkeypatch.setattr("inpainting.data.decoded.MANY", 20)
    with caplog.at_level(logging.INFO):
        folder(root).prepare_data()
    assert [
        r.getMessage() for r in caplog.records if "python -m inpainting.prepare" in r.getMessage()
    ]


def test_no_category_means_all_of_places(places_root):
    parts = all_splits(places(places_root, categories=[], sources=["train", "val"]))
    assert sum(len(part.files) for part in parts.values()) == 18
