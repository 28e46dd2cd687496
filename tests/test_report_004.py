"""The holes of report 004: drawn with its statistics, and read from its authors' files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import DATA_SETTINGS

from inpainting.data import arrays
from inpainting.data.folder import FolderDataModule
from inpainting.errors import InputError
from inpainting.masks.report_004 import Report004


def drawn(kind: Report004, count: int, side: int = 64) -> np.ndarray:
    return kind(count, side, side, torch.Generator().manual_seed(0))[:, 0].numpy()


def authors_way(count: int) -> np.ndarray:
    """Sides of holes drawn as the authors did: anew until both pairs lie 19 to 25 apart."""
    random = np.random.default_rng(123)
    corners = random.integers(0, 63, (60 * count, 4))
    apart = np.abs(corners[:, :2] - corners[:, 2:])
    fits = ((apart >= 19) & (apart <= 25)).all(1)
    return apart[fits][:count] + 1


def test_the_statistics_are_the_reports() -> None:
    masks = drawn(Report004(), 20_000)
    share = masks.mean((1, 2))
    assert masks[:, -1].sum() == masks[:, :, -1].sum() == 0
    assert masks[:, 0].any() and masks[:, 62].any() and masks[:, :, 62].any()
    assert share.min() == pytest.approx(0.0977, abs=1e-4)  # 20 x 20 of 64 x 64 px
    assert share.max() == pytest.approx(0.165, abs=1e-3)  # 26 x 26
    assert share.mean() == pytest.approx(0.128, abs=5e-4)
    sides = np.stack([masks.any(2).sum(1), masks.any(1).sum(1)], axis=1)
    expected = authors_way(20_000)
    assert len(expected) == 20_000
    for axis in (0, 1):
        ours, theirs = (np.bincount(one[:, axis], minlength=27) for one in (sides, expected))
        assert ours[:20].sum() == ours[27:].sum() == 0
        np.testing.assert_allclose(ours[20:27] / 20_000, theirs[20:27] / 20_000, atol=0.015)
    assert (masks.sum((1, 2)) == sides.prod(1)).all()  # each hole is a rectangle


def test_other_sizes_scale_and_impossible_ones_are_refused() -> None:
    sides = drawn(Report004(), 500, 28).any(2).sum(1)
    assert (sides.min(), sides.max()) == (9, 11)  # .3125 and .40625 of 28 px
    with pytest.raises(InputError, match="without their last row"):
        drawn(Report004(max_side=1.0), 1)


@pytest.fixture
def authors(tmp_path: Path) -> Path:
    """A file in the authors' column order, x down and y across, both corners included."""
    path = tmp_path / "out_valid.csv"
    path.write_text(
        "file,x1,y1,x2,y2,x3,y3,x4,y4\n"
        "00000001.jpg,5,10,24,35,1,8,28,35\n"
        "00000002.jpg,40,0,62,19,36,0,63,27\n"
    )
    return path


@pytest.mark.parametrize("header", [True, False])
def test_the_authors_files_are_read(authors: Path, header: bool) -> None:
    if not header:
        authors.write_text(authors.read_text().split("\n", 1)[1])
    kind = Report004(table=str(authors))
    masks = kind.of_files(["sky/00000002.jpg", "lake/00000001.jpg"], 64, 64)
    first, second = np.zeros((2, 64, 64), np.uint8)
    first[40:63, 0:20], second[5:25, 10:36] = 255, 255  # rows, then columns
    np.testing.assert_array_equal(masks, [first, second])
    anywhere = drawn(kind, 40)  # in training, any of the two
    assert {int(mask.sum()) for mask in anywhere} == {20 * 26, 23 * 20}


def test_a_table_that_does_not_fit_says_so(authors: Path, tmp_path: Path) -> None:
    kind = Report004(table=str(authors))
    with pytest.raises(InputError, match="lists no hole for c.jpg"):
        kind.of_files(["c.jpg"], 64, 64)
    with pytest.raises(InputError, match=r"hole 1 .*does not fit images of 32x32 px"):
        kind.of_files(["00000001.jpg"], 32, 32)
    (tmp_path / "text.csv").write_text("no table\n")
    for name in ("text.csv", "missing.csv"):
        with pytest.raises(InputError, match=f"{name} is no table of holes"):
            drawn(Report004(table=str(tmp_path / name)), 1)
    (tmp_path / "two.csv").write_text("a/1.jpg,0,0,9,9\nb/1.jpg,1,1,9,9\n")
    two = Report004(table=str(tmp_path / "two.csv"))
    assert (two.of_files(["b/1.jpg"], 64, 64) > 0).sum() == 81
    with pytest.raises(InputError, match="lists no hole for 1.jpg"):  # which of the two?
        two.of_files(["1.jpg"], 64, 64)


def test_evaluation_meets_the_holes_of_the_table(tmp_path: Path) -> None:
    with arrays.writing(tmp_path / "out") as part:
        for number, split in enumerate(arrays.SPLITS):
            box = {"hole_top": number, "hole_left": 2, "hole_height": 5, "hole_width": 3}
            images = np.zeros((4, 16, 16, 3), np.uint8)
            rows = [{"file": f"{split}/{i}.png", "class": "", **box} for i in range(4)]
            arrays.write_split(part, split, zip(images, rows, strict=True))
        arrays.write_manifest(part, {})
    mask = Report004(table=str(tmp_path / "out"))
    settings = {**DATA_SETTINGS, "mask": mask, "train_holes": "fixed"}
    data = FolderDataModule(**settings, root=tmp_path / "out", cache=tmp_path)
    data.setup("fit")
    for number, split in enumerate(arrays.SPLITS):
        expected = np.zeros((16, 16), bool)
        expected[number : number + 5, 2:5] = True
        assert ((data.datasets[split].masks > 0) == expected).all()
