"""The Python of README.md and docs/python.md runs as it is printed."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import inpainting
from inpainting.errors import InputError
from inpainting.runs.bundled import FOLDER, bundled

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text())


@pytest.fixture
def names() -> dict:
    """An image and a mask, as the pages assume them."""
    digit = load_digits().images[7].repeat(4, 0).repeat(4, 1)[2:30, 2:30] * (255 / 16)
    mask = np.zeros((28, 28), bool)
    mask[10:18, 8:18] = True
    return {"image": digit.astype(np.uint8), "mask": mask}


def check(names: dict) -> None:
    image, mask, filled = (names[name] for name in ("image", "mask", "filled"))
    assert filled.dtype == image.dtype and filled.shape == image.shape
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    assert (filled != image)[mask].any()


def test_the_readme_fills_in_three_lines(names: dict) -> None:
    (block,) = blocks("README.md")
    assert len([line for line in block.splitlines() if line]) == 3
    exec(block, names)
    check(names)


def test_the_page_of_python_runs_from_top_to_bottom(
    names: dict, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill, several, watch, by_hand = blocks("docs/python.md")
    exec(fill, names)
    check(names)
    exec(several, names)
    assert len(names["samples"]) == 4
    exec(watch, names)
    assert "25 of 25 (28, 28)" in capsys.readouterr().out
    exec(by_hand, names)
    check(names)
    assert names["evaluation"].summary["psnr_hole"] > 5


def test_what_comes_along_has_a_card_a_checksum_and_a_place_on_the_page() -> None:
    page = (ROOT / "docs/python.md").read_text()
    assert bundled()
    for name in bundled():
        assert f"[{name}](../inpainting/{name}.md)" in page
        card = (FOLDER.parent / f"{name}.md").read_text()
        assert "python -m inpainting.train" in card and "Limits" in card
        inpainting.load(name, device="cpu")
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 20e6


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = bundled()[0]
    file = f"{name.removeprefix('bundled/')}.safetensors"
    content = bytearray((FOLDER / file).read_bytes())
    content[-1] ^= 1
    (tmp_path / file).write_bytes(content)
    (tmp_path / "sha256.json").write_text((FOLDER / "sha256.json").read_text())
    monkeypatch.setattr("inpainting.runs.bundled.FOLDER", tmp_path)
    with pytest.raises(InputError, match="its sha256 is not the published one"):
        inpainting.load(name)
    with pytest.raises(InputError, match="type one of bundled/"):
        inpainting.load("bundled/nothing")
