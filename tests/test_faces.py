"""Faces with attributes: CelebA's layout and the drawn ones."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import DATA_SETTINGS
from hydra.utils import instantiate
from PIL import Image
from torchvision.transforms import v2

from inpainting.data.celeba import CelebADataModule
from inpainting.data.drawn_face import draw_face
from inpainting.data.faces import FacesDataModule
from inpainting.errors import InputError
from inpainting.images.files import read_uint8


def diagonal(count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    return torch.eye(height).expand(count, 1, -1, -1)


BASE = DATA_SETTINGS | {"mask": diagonal}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty tiny faces of ten persons in CelebA's layout, each of a level of its own."""
    files = [f"{number:06d}.jpg" for number in range(1, 21)]
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for number, file in enumerate(files):
        image = Image.new("RGB", (89, 109), (10 * number, 5, 7))
        image.save(folder / "img_align_celeba" / file, quality=95)
    lines = ["20", "Bald Smiling Young "]
    lines += [
        f"{file} {1 if i % 2 else -1}  {1 if i % 3 else -1} -1" for i, file in enumerate(files)
    ]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    partition = [f"{file} {0 if i < 12 else 1 if i < 16 else 2}" for i, file in enumerate(files)]
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
    identity = [f"{file} {100 + i // 2}" for i, file in enumerate(files)]
    (folder / "identity_CelebA.txt").write_text("\n".join(identity) + "\n")
    return folder


def celeba(folder: Path, **changes) -> CelebADataModule:
    own = {
        "root": folder,
        "cache": folder.parent / "cache",
        "download": False,
        "partition": "official",
    }
    return CelebADataModule(**{**BASE, **own, **changes})


def test_celeba_has_the_splits_and_attributes_of_its_lists(root: Path) -> None:
    data = celeba(root, attributes=["smiling", "Bald"])
    data.setup()
    splits = {name: dataset.split for name, dataset in data.datasets.items()}
    assert {name: len(split.files) for name, split in splits.items()} == {
        "train": 12,
        "val": 4,
        "test": 4,
    }
    assert splits["test"].files == [f"{number:06d}.jpg" for number in range(17, 21)]
    assert splits["test"].attribute_names == ("Bald", "Smiling", "Young")
    batch = data.datasets["test"].__getitems__([3, 0])  # the files 000020 and 000017
    assert batch["attributes"].tolist() == [[1.0, 1.0], [1.0, 0.0]]
    assert batch["image"][1, 0, 0].tolist() == pytest.approx([160, 5, 7], abs=4)


def test_a_face_is_cut_as_the_report_cuts_it(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.rand(1, 3, 14, 11, generator=generator)
    whole = torch.nn.functional.interpolate(smooth, (218, 178), mode="bicubic").clamp(0, 1)
    pixels = (whole[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "face.png")
    from inpainting.data.celeba import FaceWindow

    report = v2.Compose([v2.Resize((109, 89), antialias=True), v2.CenterCrop(64)])
    wanted = report(torch.from_numpy(pixels).permute(2, 0, 1).float())
    found = read_uint8(tmp_path / "face.png", 3, 64, FaceWindow()).astype(np.float32)
    assert np.abs(found - wanted.permute(1, 2, 0).numpy()).max() < 1.5
    # of faces at half size it is the crop alone
    half = np.ascontiguousarray(pixels[::2, ::2])
    Image.fromarray(half).save(tmp_path / "half.png")
    assert (read_uint8(tmp_path / "half.png", 3, 64, FaceWindow()) == half[22:86, 12:76]).all()


def test_a_partition_of_another_number_is_refused(root: Path) -> None:
    path = root / "list_eval_partition.txt"
    path.write_text(path.read_text().replace(" 2", " 7", 1))
    with pytest.raises(InputError, match="has 7 where 0, 1 or 2 should be"):
        celeba(root).read_split("train")


def test_nobody_is_in_two_splits_that_are_drawn(root: Path) -> None:
    data = celeba(root, partition="persons", shares=[0.6, 0.2, 0.2])
    persons = [
        {(int(file[:6]) - 1) // 2 for file in data.read_split(name).files}
        for name in ("train", "val", "test")
    ]
    assert [len(part) for part in persons] == [6, 2, 2]
    assert len(set.union(*persons)) == 10


def test_a_subset_of_celeba_is_read_with_a_line(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "img_align_celeba/000002.jpg").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(celeba(root).read_split("train").files) == 11
    assert "list_attr_celeba.txt, list_eval_partition.txt, identity_CelebA.txt" in caplog.text
    assert "1 of 20 listed images are not there" in caplog.text
    # torchvision's root is the folder above
    assert len(celeba(root, root=root.parent).read_split("train").files) == 11


def test_another_attribute_or_split_is_decoded_anew_and_other_names_are_not(root: Path) -> None:
    first = celeba(root, attributes=["Bald"]).folder
    assert celeba(root, attributes=["Young"]).folder == first
    path = root / "list_eval_partition.txt"
    path.write_text(path.read_text().replace("000001.jpg 0", "000001.jpg 1"))
    assert celeba(root).folder != first


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda root: (root / "list_attr_celeba.txt").unlink(), "list_attr_celeba.txt cannot be"),
        (lambda root: (root / "list_attr_celeba.txt").write_text("x"), "not CelebA's list"),
        (
            lambda root: (root / "list_attr_celeba.txt").write_text("1\na b\n000001.jpg 1\n"),
            "does not have 2 values",
        ),
        (
            lambda root: (root / "list_eval_partition.txt").unlink(),
            "list_eval_partition.txt cannot",
        ),
        (
            lambda root: (root / "list_eval_partition.txt").write_text("000001.jpg 0\n"),
            "lacks 19 of the images",
        ),
        (lambda root: shutil.rmtree(root / "img_align_celeba"), "none of the 20 images"),
        (
            lambda root: Image.new("RGB", (89, 89)).save(root / "img_align_celeba/000003.jpg"),
            "89x89 px does not have the proportions",
        ),
    ],
)
def test_a_broken_celeba_is_one_sentence(root: Path, change, sentence: str) -> None:
    change(root)
    with pytest.raises(InputError, match=sentence):
        celeba(root).prepare_data()


def test_an_unknown_attribute_lists_those_that_there_are(root: Path) -> None:
    with pytest.raises(
        InputError, match=r"no 'smilling' \(did you mean Smiling\?\).*Bald, Smiling"
    ):
        celeba(root, attributes=["smilling"]).setup()
    with pytest.raises(InputError, match=r"data\.partition=random: type official or persons"):
        celeba(root, partition="random")
    shutil.copytree(root / "img_align_celeba", root.parent / "plain")
    from inpainting.data.folder import FolderDataModule

    plain = {**BASE, "root": root.parent / "plain", "cache": root.parent / "cache"}
    with pytest.raises(InputError, match=r"these images have no attributes; type data\.attributes"):
        FolderDataModule(**plain, attributes=["Smiling"]).setup()


def test_a_download_that_cannot_be_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    data = celeba(tmp_path / "celeba", download=True)
    monkeypatch.setattr("inpainting.data.celeba.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'inpainting\[celeba\]'"):
        data.prepare_data()
    monkeypatch.setattr("inpainting.data.celeba.find_spec", lambda name: True)

    def refuse(*arguments: object, **options: object) -> None:
        raise RuntimeError("Google Drive: too many users")

    monkeypatch.setattr("torchvision.datasets.CelebA", refuse)
    with pytest.raises(InputError, match="cannot be downloaded .*too many users.*by hand"):
        data.prepare_data()


def test_the_real_layout_of_celeba_is_read(real_data, tmp_path: Path) -> None:
    root = real_data("celeba_fullres")
    data = celeba(root, root=root, cache=tmp_path, image_size=64, partition="persons")
    split = data.read_split("train")
    assert split.images.shape[1:] == (64, 64, 3)
    assert len(split.attribute_names) == 40
    assert sum(len(data.read_split(name).files) for name in ("train", "val", "test")) == 32


def test_torchvision_reads_the_same_faces(real_data, tmp_path: Path, monkeypatch) -> None:
    from torchvision.datasets import CelebA

    root = real_data("celeba_fullres")
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    official = CelebA(str(root), split="all", target_type="attr")
    data = celeba(root, root=root, cache=tmp_path, image_size=64, partition="persons")
    split = data.read_split("train")
    for index in range(5):
        there = official.filename.index(split.files[index])
        image, attributes = official[there]
        assert split.attributes[index].tolist() == attributes.tolist()
        cut = v2.CenterCrop(64)(v2.Resize((109, 89), antialias=True)(v2.ToImage()(image)))
        found = split.images[index].astype(int)
        assert np.abs(found - cut.permute(1, 2, 0).numpy().astype(int)).mean() < 1


def faces(tmp_path: Path, **changes) -> FacesDataModule:
    return FacesDataModule(**{**BASE, "counts": [30, 4, 5], "cache": tmp_path, **changes})


def test_faces_follow_from_their_index_and_the_split_seed(tmp_path: Path) -> None:
    data = faces(tmp_path / "one", attributes=["Eyeglasses"])
    first = data.read_split("train")
    again = faces(tmp_path / "two", counts=[35, 4, 5], seed=7).read_split("train")
    assert (first.images == again.images[:30]).all()
    assert (first.attributes == again.attributes[:30]).all()
    other = faces(tmp_path / "three", split_seed=1).read_split("train")
    assert (first.images != other.images).any()
    assert (data.read_split("val").images[0] != first.images[0]).any()
    assert first.attribute_names == ("smiling", "eyeglasses")
    assert 0.2 < first.attributes[:, 0].mean() < 0.8
    grey = faces(tmp_path / "grey", channels=1).read_split("test")
    assert grey.images.shape == (5, 16, 16, 1)


@pytest.mark.parametrize("seed", range(5))
def test_one_person_is_drawn_in_four_states(seed: int) -> None:
    drawn = {
        state: draw_face(np.random.default_rng(seed), *state, 128).astype(int)
        for state in ((False, False), (True, False), (False, True), (True, True))
    }
    smile = np.abs(drawn[True, False] - drawn[False, False]).max(2) > 0
    glasses = np.abs(drawn[False, True] - drawn[False, False]).max(2) > 0
    assert smile.any() and glasses.any()
    # the smile changes nothing above the nose, and its mouth is in the box of mask=mouth
    assert not smile[:72].any() and not glasses[90:].any()
    mouth = np.argwhere(np.abs(drawn[True, False] - drawn[False, False]).max(2) > 60)
    assert np.mean((mouth[:, 0] >= 96) & (mouth[:, 1] >= 40) & (mouth[:, 1] < 92)) > 0.9


def test_the_drawn_faces_are_cached(tmp_path: Path, monkeypatch) -> None:
    one = faces(tmp_path)
    one.prepare_data()
    monkeypatch.setattr("inpainting.data.faces.draw_face", None)
    assert (faces(tmp_path).read_split("val").images == one.read_split("val").images).all()


@pytest.mark.parametrize("wrong", [{"counts": [3, 0, 1]}, {"counts": [3, 1]}])
def test_impossible_counts_of_faces_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(InputError, match=r"data\.counts"):
        faces(tmp_path, **wrong)


def test_the_report_s_holes_are_its_sizes(composed) -> None:
    for name, low, high in (("rectangle_2_5", 0.02, 0.05), ("rectangle_8_14", 0.08, 0.14)):
        mask = instantiate(composed(f"mask={name}").mask, _convert_="all")
        drawn = mask(5000, 64, 64, torch.Generator().manual_seed(0))
        share = drawn.mean((1, 2, 3))
        # RandomErasing in 5,000 draws: 75 to 216 px, mean 144; 312 to 595 px, mean 452
        assert share.min() >= low * 0.9 and share.max() <= high * 1.06
        assert share.mean().item() == pytest.approx((low + high) / 2, rel=0.03)
        ratio = drawn.amax(3).sum((1, 2)) / drawn.amax(2).sum((1, 2))
        assert 0.25 < ratio.min() < 0.35 and 3 < ratio.max() < 3.7
    mouth = instantiate(composed("mask=mouth").mask, _convert_="all")
    hole = mouth(1, 64, 64, torch.Generator())[0, 0]
    assert hole.sum() == 336 and hole[50:64, 21:45].all()


def test_a_model_is_not_tested_on_other_attributes(command, tmp_path: Path, failure) -> None:
    typed = ["model=cvae_gan", "debug=fast", "data.counts=[8,2,2]", "data.batch_size=4"]
    command("train", *typed, "trainer=cpu", "callbacks.progress=null", "hydra.run.dir=run")
    error = failure("evaluate", "run=run", "data.attributes=[eyeglasses]", "trainer=cpu")
    assert "cvae_gan is told the attributes [smiling]" in error
    assert "type data.attributes=[smiling]" in error
    error = failure("predict", "run=run", "input=.", "masks=.", "attributes.bald=1")
    assert "attributes.bald=1: this model is told smiling" in error
