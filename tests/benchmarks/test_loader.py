"""Batches from the decoded cache, and its decoding, against PIL and torchvision's ImageFolder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from interleaved import Spread, in_turn, process_seconds
from lightning import Trainer
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor

from inpainting.data.base import InpaintingDataModule
from inpainting.preparing.decoding import decode_images
from inpainting.tasks.build import build

COUNT, LARGE, SIDE, BATCH = 600, 256, 64, 100
SOURCES = {256: COUNT, 512: 200, 1024: 60}  # sides of the files, and their number
NO_HOLE = torch.zeros(BATCH, 1, SIDE, SIDE)


@pytest.fixture
def jpegs(composed: Callable[..., DictConfig], tmp_path: Path) -> Path:
    """A folder of crops of scikit-image's photographs, as JPEG."""
    return crops(composed, tmp_path / "photographs", LARGE)


def crops(composed: Callable[..., DictConfig], folder: Path, side: int) -> Path:
    """Write crops of a side as JPEG, of photographs that are enlarged if need be."""
    photographs = list(build(composed("data=photos").data).photographs.values())
    rng = np.random.default_rng(0)
    (folder / "all").mkdir(parents=True)
    for index in range(SOURCES[side]):
        photograph = photographs[index % len(photographs)]
        factor = side // LARGE
        photograph = photograph.resize((photograph.width * factor, photograph.height * factor))
        left = int(rng.integers(photograph.width - side + 1))
        top = int(rng.integers(photograph.height - side + 1))
        crop = photograph.crop((left, top, left + side, top + side))
        crop.save(folder / "all" / f"{index:04d}.jpg", quality=90)
    return folder


def our_batches(data: InpaintingDataModule) -> Iterator[dict[str, Tensor]]:
    """An epoch of float batches, on the device."""
    for batch in data.train_dataloader():
        yield data.on_after_batch_transfer(batch, 0)


def seconds_a_image(batches: Callable[[], Iterator[object]], epochs: int = 1) -> float:
    images = 0

    def read() -> None:
        nonlocal images
        for batch in batches():
            image = batch["image"] if isinstance(batch, dict) else batch[0]
            assert image.shape[1:] == (3, SIDE, SIDE) and image.dtype == torch.float32
            images += len(image)

    seconds = process_seconds(read, epochs)
    return seconds / images


def test_the_decoded_cache_is_read_25_times_faster_than_an_image_folder(
    composed: Callable[..., DictConfig],
    jpegs: Path,
    tmp_path: Path,
    report: Callable[..., None],
):
    config = composed(
        "data=folder", f"data.root={jpegs}", f"data.cache={tmp_path}", f"data.batch_size={BATCH}"
    )
    data = build(config.data)
    data.mask = lambda *_: NO_HOLE  # drawing holes is measured elsewhere
    data.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    data.setup("fit")
    transform = Compose([Resize(SIDE), CenterCrop(SIDE), ToTensor()])
    folder = ImageFolder(str(jpegs), transform)
    loader = DataLoader(folder, BATCH, shuffle=True)

    # Both read the same image; ours was decoded at half size and rounded, so not to the bit.
    name = jpegs / data.file("train", 0)
    theirs = folder[[path for path, _ in folder.samples].index(str(name))][0]
    ours = torch.tensor(data.datasets["train"].split.images[0]).permute(2, 0, 1) / 255
    assert (ours - theirs).square().mean() < 10**-3.5

    pairs = in_turn(
        lambda: seconds_a_image(lambda: iter(loader)),
        lambda: seconds_a_image(lambda: our_batches(data), epochs=30),
    )
    images_a_second = Spread.of([1 / other for _, other in pairs]).median
    report(
        f"loader, 64 px floats, ImageFolder + PIL / ours ({images_a_second:,.0f} images/s)",
        Spread.of([one / other for one, other in pairs]),
        at_least=25,
        digits=1,
    )


@pytest.mark.parametrize("large", SOURCES)
def test_prepare_decodes_twice_as_many_files_a_second_as_pil_or_torchvision(
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    report: Callable[..., None],
    large: int,
):
    jpegs = crops(composed, tmp_path / "photographs", large)
    listing = build(composed("data=folder", f"data.root={jpegs}").data).whole_listing()
    dataset = ImageFolder(str(jpegs), Compose([Resize(SIDE), CenterCrop(SIDE), ToTensor()]))
    places = [tmp_path / f"work_{number}" for number in range(20)]

    def ours() -> float:
        work = places.pop()
        return process_seconds(lambda: decode_images(listing, work, 3, SIDE, "stop", workers=0))

    def pil() -> float:
        def loop() -> None:
            for file in listing.files:
                with Image.open(listing.root / file) as opened:
                    np.asarray(
                        opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
                    )

        return process_seconds(loop)

    def torchvision() -> float:
        return process_seconds(lambda: [dataset[index] for index in range(len(dataset))])

    for name, theirs in (("a PIL loop", pil), ("torchvision's ImageFolder", torchvision)):
        pairs = in_turn(theirs, ours)
        files_a_second = len(listing.files) / Spread.of([seconds for _, seconds in pairs]).median
        report(
            f"decoding {large} px to 64 px, {name} / prepare ({files_a_second:,.0f} files/s)",
            Spread.of([one / other for one, other in pairs]),
            at_least=2,
        )
