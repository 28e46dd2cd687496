"""`prepare`: stages that go on after a kill, people left out, counts, holes, what is refused."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import DATA_SETTINGS, typed_in
from PIL import Image

from inpainting.data import arrays
from inpainting.data.dataset import draw_masks
from inpainting.data.folder import FolderDataModule
from inpainting.images.files import read_shrunk, read_uint8
from inpainting.preparing import decoding, people
from inpainting.preparing.holes import bounding_boxes
from inpainting.preparing.near_duplicates import difference_hash, hashes, near_pairs
from inpainting.preparing.people import People
from inpainting.preparing.reading import CompactNames

COUNT = 60
BRIGHT = 128  # photographs with a red from here on show people, to the detector of these tests


class Reds:
    """A detector that takes the red of the first pixel for the score of a person there."""

    batch_size, image_size = 4, 64
    settings = {"network": "reds"}

    def __init__(self, threshold: float, **_: object):
        self.threshold = threshold

    def detect(self, photographs):
        scores = [float(photograph[0, 0, 0]) / 255 for photograph in photographs]
        return [
            np.array([[score, 0.1, 0.2, 0.5, 0.75]] * (score > 0), np.float32).reshape(-1, 5)
            for score in scores
        ]


def paint(folder: Path, count: int = COUNT) -> Path:
    """Photographs of two classes, each of a red of its own; the last one is broken."""
    for index in range(count - 1):
        path = folder / ("lake", "wood")[index % 2] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 20), (4 * index, index, 9)).save(path)
    (folder / "lake" / "zzz.png").write_text("no image")
    return folder


def typed(root: Path, out: Path, *more: str) -> list[str]:
    return [
        "data=folder",
        f"data.root={root}",
        f"out={out}",
        "data.image_size=16",
        "data.on_error=skip",
        "data.shares=[.6,.2,.2]",
        "workers=0",
        *more,
    ]


REDS = ["detector=torchvision", f"detector._target_={__name__}.Reds", "detector.threshold=.5"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs in `root`, and with what `prepare` made of them in `out`."""
    folder = tmp_path_factory.mktemp("preparing")
    paint(folder / "root")
    with pytest.MonkeyPatch.context() as patch, typed_in(folder) as run:
        small(patch)
        run("prepare", *typed(folder / "root", folder / "out", "near_duplicates=0", *REDS))
    return folder


def small(patch: pytest.MonkeyPatch) -> None:
    """Several shards of a few images."""
    patch.setattr(decoding, "SHARD", 7)
    patch.setattr(people, "SHARD_BATCHES", 2)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def lines(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_written_are_the_photographs_without_people(prepared: Path) -> None:
    seen = []
    for split in arrays.SPLITS:
        part = arrays.read(prepared / "out", split)
        for image, file, label in zip(part.images, part.files, part.labels, strict=True):
            red = 4 * int(Path(file).stem)
            assert red < BRIGHT and label == ["lake", "wood"].index(file.split("/")[0])
            np.testing.assert_array_equal(image, read_uint8(prepared / "root" / file, 3, 16))
            seen.append(file)
    assert len(seen) == len(set(seen)) == BRIGHT // 4
    manifest = json.loads((prepared / "out/manifest.json").read_text())
    kept = {name: manifest["counts"][name] for name in arrays.SPLITS}
    assert sum(kept.values()) == 32 and manifest["counts"]["people"] == 27
    assert manifest["settings"]["detector"]["network"] == "reds"
    for split in arrays.SPLITS:  # checksums of the tables too
        files = manifest["splits"][split]["files"]
        assert set(files) == {f"{split}.npy", f"{split}.csv"}
        assert files[f"{split}.csv"] == arrays.sha256_of(prepared / "out" / f"{split}.csv")


def test_counts_and_scores_are_noted(prepared: Path) -> None:
    table = (prepared / "out/counts.md").read_text()
    for line in ("| listed | 60 |", "| cannot be read | −1 |", "| kept | 32 | 53.3% |"):
        assert line in table
    assert "11.9% at 0.1, 27.1% at 0.25, 54.2% at 0.5" in table  # of 59: reds below 25.5, ...
    counts = {row["class"]: row for row in lines(prepared / "out/counts.csv")}
    assert counts["lake"] | {"train": 0, "val": 0, "test": 0} == {
        "class": "lake", "listed": "31", "broken": "1", "people": "14", "kept": "16",
        "train": 0, "val": 0, "test": 0,
    }  # fmt: skip
    scores = {row["file"]: row for row in lines(prepared / "out/people.csv")}
    assert len(scores) == COUNT
    assert scores["lake/zzz.png"]["split"] == "broken"
    assert scores["wood/033.png"] | {"score": 0} == {
        "file": "wood/033.png", "score": 0, "persons": "1", "left": "0.100", "top": "0.200",
        "right": "0.500", "bottom": "0.750", "split": "left out",
    }  # fmt: skip
    assert float(scores["wood/033.png"]["score"]) == pytest.approx(132 / 255, abs=1e-6)
    assert scores["lake/000.png"]["score"] == "0" and scores["lake/000.png"]["left"] == ""
    (broken,) = lines(prepared / "out/broken.csv")
    assert broken["file"] == "lake/zzz.png" and "cannot be read" in broken["reason"]


def test_the_holes_are_those_of_evaluation(prepared: Path) -> None:
    config = {**DATA_SETTINGS, "mask": None, "eval_mask_seed": 1701}
    from inpainting.masks.report_004 import Report004

    data = FolderDataModule(
        **{**config, "mask": Report004()}, root=prepared / "out", cache="unused"
    )
    data.train_holes = "fixed"
    data.setup("fit")
    for split in arrays.SPLITS:
        masks = data.datasets[split].masks > 0
        for mask, row in zip(masks, lines(prepared / "out" / f"{split}.csv"), strict=True):
            top, left, tall, wide = (
                int(row[f"hole_{k}"]) for k in ("top", "left", "height", "width")
            )
            assert mask.sum() == tall * wide == mask[top : top + tall, left : left + wide].sum()
            y, x = int(row["local_top"]), int(row["local_left"])
            assert (row["local_height"], row["local_width"]) == ("7", "7")  # 28/64 of 16 px
            assert 0 <= y <= top and top + tall <= y + 7 <= 16 and 0 <= x <= left


def test_the_contact_sheet_shows_who_decided(prepared: Path) -> None:
    sheet = np.asarray(Image.open(prepared / "out/sheet.png"))
    assert sheet.shape[0] > 4 * 176
    red, orange = ((sheet == colour).all(2).sum() for colour in ((255, 0, 0), (255, 165, 0)))
    assert red > 1000 and orange > 1000  # boxes of photographs left out, and of those kept


def test_another_threshold_decodes_and_searches_nothing(
    prepared: Path, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(decoding, "read_uint8", fail)
    monkeypatch.setattr(Reds, "detect", fail)
    small(monkeypatch)
    out = prepared / "stricter"
    work = f"work={prepared}/cache/preparing"
    command("prepare", *typed(prepared / "root", out, work, *REDS, "detector.threshold=.4"))
    assert sum(len(arrays.read(out, split).files) for split in arrays.SPLITS) == 26
    before = {s: set(arrays.read(prepared / "out", s).files) for s in arrays.SPLITS}
    for split in arrays.SPLITS:  # a photograph's split does not depend on the threshold
        assert set(arrays.read(out, split).files) < before[split]


@pytest.mark.parametrize("damage", ["deleted", "truncated", "unnoted"])
def test_what_goes_on_after_a_kill_equals_what_was_not_killed(
    prepared: Path, command: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    small(monkeypatch)
    work = tmp_path / "work"
    shutil.copytree(prepared / "cache/preparing", work)
    decoded = sorted(work.rglob("decoded-*/*.npy"))
    (found,) = {path.parent for path in work.rglob("*.npz")}
    for path in (decoded[2], decoded[5], found / "00001.npz"):
        if damage == "deleted":
            path.unlink()
        elif damage == "truncated":
            path.write_bytes(path.read_bytes()[:-9])
        elif path.suffix == ".npy":
            path.with_suffix(".json").unlink()
    (tmp_path / "out.part").mkdir()  # of a writer that was killed
    calls = []
    monkeypatch.setattr(
        decoding, "read_uint8", lambda path, **k: calls.append(path) or read_uint8(path, **k)
    )
    more = (f"work={work}", "near_duplicates=0", *REDS)
    command("prepare", *typed(prepared / "root", tmp_path / "out", *more))
    assert len(calls) == 14
    assert content(tmp_path / "out") == content(prepared / "out")


def test_several_processes_give_the_same(
    prepared: Path, command: Callable, monkeypatch, tmp_path
) -> None:
    small(monkeypatch)
    more = ("workers=2", "near_duplicates=0", *REDS)
    command("prepare", *typed(prepared / "root", tmp_path / "out", *more))
    assert content(tmp_path / "out") == content(prepared / "out")


def test_a_finished_folder_is_left_alone_and_another_setting_refused(
    prepared: Path, command: Callable, failure: Callable, capsys, monkeypatch
) -> None:
    small(monkeypatch)
    work = f"work={prepared}/cache/preparing"
    arguments = typed(prepared / "root", prepared / "out", work, "near_duplicates=0", *REDS)
    before = {path: path.stat().st_mtime_ns for path in (prepared / "out").iterdir()}
    command("prepare", *arguments)
    assert "is complete already" in capsys.readouterr().out
    assert "another detector" in failure("prepare", *arguments, "detector.threshold=.3")
    assert "another data" in failure("prepare", *arguments, "data.split_seed=3")
    assert {path: path.stat().st_mtime_ns for path in (prepared / "out").iterdir()} == before


def test_photographs_on_which_two_detectors_disagree_are_shown(
    prepared: Path, command: Callable, failure: Callable, capsys, monkeypatch, tmp_path: Path
) -> None:
    small(monkeypatch)
    out, other = tmp_path / "out", tmp_path / "other"
    shutil.copytree(prepared / "out", out)
    other.mkdir()
    table = (out / "people.csv").read_text().splitlines()
    at = {row.split(",")[0]: number for number, row in enumerate(table)}
    table[at["wood/001.png"]] = "wood/001.png,0.900,1,0.500,0.500,0.900,0.900,left out"
    table[at["wood/055.png"]] = "wood/055.png,0.000,0,,,,,train"
    (other / "people.csv").write_text("\n".join(table[:-1]) + "\n")  # one photograph is not there
    typed_here = typed(
        prepared / "root", out, f"work={prepared}/cache/preparing", "near_duplicates=0", *REDS
    )
    before = content(out)
    command("prepare", *typed_here, f"against={other}")
    said = capsys.readouterr().out
    assert (
        "disagree on 2 of 58 photographs (3.4%) at a score of 0.5. Left out here alone: 1" in said
    )
    first, second = lines(out / "disagreements.csv")
    assert first == {
        "file": "wood/055.png", "score": "0.862745106", "left": "0.100", "top": "0.200",
        "right": "0.500", "bottom": "0.750", "other_score": "0", "other_left": "",
        "other_top": "", "other_right": "", "other_bottom": "",
    }  # fmt: skip
    assert second["file"] == "wood/001.png" and second["other_score"] == "0.9"
    assert (second["score"], second["other_left"]) == ("0.0156862754", "0.500")
    sheet = np.asarray(Image.open(out / "disagreements.png"))
    for colour in ((255, 0, 0), (0, 255, 255)):  # a box of each
        assert (sheet == colour).all(2).sum() > 50
    assert before.items() <= content(out).items()
    for wrong, reason in {
        "nowhere": "people.csv there cannot be read",
        "[a,b]": "one fold",
    }.items():
        assert reason in failure("prepare", *typed_here, f"against={wrong}")
    none = typed(prepared / "root", tmp_path / "none", "detector=none", f"against={other}")
    assert "type detector=yolo" in failure("prepare", *none)


def test_what_cannot_be_prepared_is_refused_at_once(failure: Callable, tmp_path: Path) -> None:
    root = paint(tmp_path / "root", 6)
    assert "type detector=none" in failure("prepare", "data=folder", f"data.root={root}")
    out = tmp_path / "full"
    out.mkdir()
    (out / "mine.txt").write_text("")
    assert "full is not empty" in failure("prepare", *typed(root, out, "detector=none"))
    out = tmp_path / "out"
    assert "data.on_error=skip" in failure(
        "prepare", *typed(root, out, "detector=none", "data.on_error=stop")
    )
    for wrong in ("workers=-1", "near_duplicates=257", "local_share=0", "max_file_bytes=0"):
        message = failure("prepare", *typed(root, out, "detector=none", wrong))
        assert message.startswith(f"error: {wrong}") and "type" in message, message
    assert "needs no preparation" in failure("prepare", "data=photos", "detector=none")
    assert not out.exists()


def test_a_threshold_that_leaves_nobody_is_refused(prepared: Path, failure, monkeypatch) -> None:
    small(monkeypatch)
    more = (f"work={prepared}/cache/preparing", *REDS, "detector.threshold=.001")
    message = failure("prepare", *typed(prepared / "root", prepared / "none", *more))
    assert "no image of the" in message and "detector=none" in message


def test_large_arrays_are_written_as_several_files_and_read_as_one(
    prepared: Path, command: Callable, monkeypatch, tmp_path: Path
) -> None:
    small(monkeypatch)
    more = (f"work={prepared}/cache/preparing", "max_file_bytes=5000", "near_duplicates=0", *REDS)
    command("prepare", *typed(prepared / "root", tmp_path / "out", *more))
    assert len(list((tmp_path / "out").glob("train-*.npy"))) > 3
    assert max(path.stat().st_size for path in (tmp_path / "out").glob("*.npy")) <= 5000 + 128
    for split in arrays.SPLITS:
        joined, whole = arrays.read(tmp_path / "out", split), arrays.read(prepared / "out", split)
        order = np.random.default_rng(0).permutation(len(whole.images))
        np.testing.assert_array_equal(joined.images[order], whole.images[order])
        np.testing.assert_array_equal(joined.images[1:9:2], whole.images[1:9:2])
        np.testing.assert_array_equal(joined.images[-1], whole.images[-1])
        assert joined.images.shape == whole.images.shape and joined.files == whole.files
    with pytest.raises(IndexError):
        joined.images[len(joined.images)]


def test_a_prepared_folder_trains(prepared: Path, command: Callable) -> None:
    command(
        "train", "model=mean_fill", f"data.root={prepared}/out", "data=folder", "trainer=cpu",
        "data.image_size=16", "mask=report_004", "data.batch_size=4", "hydra.run.dir=run",
        f"mask.table={prepared}/out", "callbacks.progress=null",
    )  # fmt: skip


def test_near_duplicates_are_found_across_splits_whatever_their_quality(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    fields = [
        cv2.resize(random.random((5, 5, 3)) * 255, (64, 64)).astype(np.uint8) for _ in range(40)
    ]
    assert difference_hash(np.full((64, 64, 3), 90, np.uint8)) is None  # flat, like a clear sky
    Image.fromarray(fields[3]).save(tmp_path / "again.jpg", quality=40)
    again = np.asarray(Image.open(tmp_path / "again.jpg"))
    parts = {"train": fields[:30], "val": [*fields[30:35], again], "test": fields[35:]}
    found = {name: hashes(part, len(part)) for name, part in parts.items()}
    pairs = list(near_pairs(found, 20))
    assert [(pair.first, pair.second) for pair in pairs] == [(("train", 3), ("val", 5))]
    # the distance is that of a bitwise comparison by hand
    bits = [np.unpackbits(difference_hash(image).view(np.uint8)) for image in (fields[3], again)]
    assert pairs[0].distance == int((bits[0] != bits[1]).sum()) <= 20


def test_boxes_and_names_are_exact() -> None:
    holes = np.zeros((3, 8, 9), bool)
    holes[0, 2:5, 3:9] = True
    holes[2, 7, 0] = holes[2, 0, 8] = True
    assert bounding_boxes(holes) == [[2, 3, 3, 6], [], [0, 0, 8, 9]]
    names = ["a/ü.jpg", "", b"\xff.png".decode(errors="surrogateescape")]
    compact = CompactNames(names)
    assert [compact[index] for index in range(len(compact))] == names
    found = People(np.array([0, 2, 2]), np.array([[0.5] + [0] * 4, [0.25] + [0] * 4], np.float32))
    assert found.scores.tolist() == [0.5, 0.0] and len(found.of(0)) == 2


def test_photographs_are_shrunk_only_if_they_are_too_large(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    np.testing.assert_array_equal(read_shrunk(tmp_path / "small.png", 64), pixels)
    assert read_shrunk(tmp_path / "small.png", 40).shape == (20, 40, 3)


def test_holes_drawn_in_parts_are_those_drawn_at_once() -> None:
    def mask(count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
        return (torch.rand(count, 1, height, width, generator=generator) > 0.5).float()

    whole = draw_masks(mask, 6, 8, 8, 5)
    parts = [draw_masks(mask, 3, 8, 8, 5, first=first) for first in (0, 3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("name", ["celeba", "imagenette", "places"])
def test_real_data_sets_are_prepared(
    name: str, real_data: Callable, command: Callable, tmp_path: Path
) -> None:
    root = real_data({"celeba": "celeba_fullres"}.get(name, name))
    few = {
        "celeba": ["data.partition=persons"],
        "imagenette": ["data.classes=[church]", "data.image_size=64"],
        "places": ["data.categories=[sky]", "data.sources=[val]"],
    }
    typed_here = [f"data={name}", f"data.root={root}", *few[name], f"out={tmp_path}/out"]
    command("prepare", *typed_here, "detector=none", "workers=0")
    manifest = arrays.read_manifest(tmp_path / "out")
    assert manifest["counts"]["listed"] == sum(manifest["counts"][one] for one in arrays.SPLITS)


@pytest.mark.slow
def test_a_preparation_that_is_killed_at_random_moments_writes_the_same(
    real_data: Callable, tmp_path: Path
) -> None:
    root = real_data("outdoor64")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(out: str, cache: str) -> subprocess.Popen:
        words = ["data=folder", f"data.root={root}", f"out={tmp_path / out}", "detector=none"]
        words += [f"paths.cache={tmp_path / cache}", f"paths.outputs={tmp_path}", "workers=1"]
        return subprocess.Popen(
            [sys.executable, "-c", SMALL, *words], env=environment, start_new_session=True
        )

    assert start("whole", "one").wait() == 0
    random, kills = np.random.default_rng(), 0
    while True:
        process = start("killed", "two")
        try:
            assert process.wait(timeout=float(random.uniform(4, 12)) * 1.3**kills) == 0
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.1)
    print(f"killed {kills} times")
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


# Small shards, so that there is something to keep.
SMALL = """
import time
from inpainting.preparing import decoding
from inpainting.prepare import main
read = decoding.read_uint8
def slowly(*arguments, **options):
    time.sleep(0.004)
    return read(*arguments, **options)
decoding.SHARD, decoding.read_uint8 = 100, slowly
main()
"""


@pytest.mark.parametrize("name", ["yolo", "torchvision"])
def test_a_detector_says_what_it_lacks(name: str, failure: Callable, tmp_path: Path) -> None:
    root = paint(tmp_path / "root", 6)
    message = failure("prepare", *typed(root, tmp_path / "out", f"detector={name}"))
    assert "detector.download=true" in message or "pip install 'inpainting[people]'" in message
    threshold = [f"detector={name}", "detector.threshold=.01"]
    message = failure("prepare", *typed(root, tmp_path / "out", *threshold))
    assert "detector.threshold=0.01 is below detector.confidence=0.05" in message
