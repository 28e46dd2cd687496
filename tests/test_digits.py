"""Digits: scikit-learn's and MNIST."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate

from inpainting.errors import InputError


def data(composed, *overrides: str):
    return instantiate(composed(*overrides).data, _convert_="all")


def test_digits_are_28_pixels_in_three_parts_with_labels(composed) -> None:
    module = data(composed, "data=digits")
    parts = {split: module.read_split(split) for split in ("train", "val", "test")}
    assert [len(part.images) for part in parts.values()] == [1257, 270, 270]
    assert sum(len(part.images) for part in parts.values()) == 1797
    names = [name for part in parts.values() for name in part.files]
    assert len(set(names)) == 1797
    test = parts["test"]
    assert test.images.shape == (270, 28, 28, 1) and test.images.dtype == np.uint8
    assert set(test.labels.tolist()) == set(range(10))
    assert test.images.max() == 255


def test_digits_in_three_channels_and_another_size(composed) -> None:
    part = data(composed, "data=digits", "data.channels=3", "data.image_size=32").read_split("val")
    assert part.images.shape[1:] == (32, 32, 3)
    assert (part.images[..., 0] == part.images[..., 2]).all()


@pytest.fixture
def packed(tmp_path: Path, real_data) -> Path:
    """A root that holds MNIST's official .gz files."""
    shutil.copytree(real_data("mnist"), tmp_path / "root")
    for path in (tmp_path / "root").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "root").chmod(0o755)
    return tmp_path / "root"


def test_mnist_unpacks_what_lies_there_when_asked_to(composed, packed: Path) -> None:
    module = data(composed, "data=mnist", f"data.root={packed}")
    with pytest.raises(InputError, match="still packed.*data.download=true"):
        module.prepare_data()
    module = data(composed, "data=mnist", f"data.root={packed}", "data.download=true")
    module.prepare_data()
    parts = {split: module.read_split(split) for split in ("train", "val", "test")}
    assert [len(part.images) for part in parts.values()] == [54_000, 6_000, 10_000]
    assert not set(parts["train"].files) & set(parts["val"].files)
    with gzip.open(packed / "MNIST/raw/t10k-images-idx3-ubyte.gz") as file:
        official = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    assert np.array_equal(parts["test"].images[..., 0], official)
    assert parts["test"].labels[:5].tolist() == [7, 2, 1, 0, 4]
    unpacked = packed / "MNIST/raw/train-images-idx3-ubyte"  # as a full disk or Ctrl-C leaves it
    for size in (1000, 0):
        unpacked.write_bytes(unpacked.read_bytes()[:size])
        with pytest.raises(InputError, match=r"delete .*\*-ubyte"):
            module.prepare_data()


def test_mnist_that_is_not_there_says_what_to_type(composed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data.root=PATH"):
        data(composed, "data=mnist").prepare_data()
    with pytest.raises(InputError, match="data.download=true"):
        data(composed, "data=mnist", f"data.root={tmp_path}").prepare_data()
