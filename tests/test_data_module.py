"""Batches, holes and chance."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from inpainting.data.arrays import Split
from inpainting.data.augment import Flip, FlipZoom
from inpainting.data.base import InpaintingDataModule
from inpainting.data.dataset import draw_masks
from inpainting.errors import InputError
from inpainting.masks.random import Rectangle
from inpainting.rng import seed_from


class Tiny(InpaintingDataModule):
    """Twenty random images in each split."""

    def read_split(self, name: str) -> Split:
        images = np.random.default_rng(len(name)).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        return Split(images, [f"{name}/{i}.png" for i in range(20)], None, None)


def tiny(epoch: int = 0, rank: int = 0, world: int = 1, **changes) -> Tiny:
    settings = {
        "mask": Rectangle(),
        "image_size": 32,
        "channels": 3,
        "batch_size": 4,
        "eval_batch_size": 8,
        "num_workers": 0,
        "seed": 0,
        "split_seed": 1,
        "eval_mask_seed": 2,
    }
    data = Tiny(**{**settings, **changes})
    data.trainer = SimpleNamespace(
        current_epoch=epoch,
        global_rank=rank,
        world_size=world,
        fit_loop=SimpleNamespace(
            epoch_progress=SimpleNamespace(current=SimpleNamespace(started=epoch, processed=epoch))
        ),
    )
    data.setup()
    return data


def batches(data: Tiny, split: str) -> list[dict[str, torch.Tensor]]:
    data.trainer.training = split == "train"
    loader = getattr(data, f"{split}_dataloader")()
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def test_a_batch_is_what_the_contract_says() -> None:
    data = tiny()
    for split in ("train", "val", "test"):
        batch = batches(data, split)[0]
        image, mask, index = batch["image"], batch["mask"], batch["index"]
        assert image.dtype == mask.dtype == torch.float32 and index.dtype == torch.int64
        assert image.shape[1:] == (3, 32, 32) and mask.shape[1:] == (1, 32, 32)
        assert len(image) == len(mask) == len(index)
        assert image.is_contiguous(memory_format=torch.channels_last)
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        expected = data.datasets[split].split.images[index.numpy()] / 255
        assert np.allclose(image.permute(0, 2, 3, 1).numpy(), expected, atol=1e-6)


def test_evaluation_holes_belong_to_the_image_whatever_the_batch_or_the_seed() -> None:
    one = torch.cat([batch["mask"] for batch in batches(tiny(), "test")])
    other = tiny(seed=7, eval_batch_size=3, num_workers=1, epoch=5)
    two = torch.cat([batch["mask"] for batch in batches(other, "test")])
    assert torch.equal(one, two)
    alone = Rectangle()(1, 32, 32, torch.Generator().manual_seed(seed_from(2, 13)))
    assert torch.equal(one[13], alone[0])
    assert not torch.equal(
        one, torch.cat([b["mask"] for b in batches(tiny(eval_mask_seed=3), "test")])
    )


def test_fixed_training_holes_stay_with_their_image_and_dynamic_ones_do_not() -> None:
    def holes(**settings) -> list[dict[int, torch.Tensor]]:
        epochs = []
        for epoch in (0, 1):
            read = batches(tiny(epoch=epoch, **settings), "train")
            epochs.append(
                {int(i): m for b in read for i, m in zip(b["index"], b["mask"], strict=True)}
            )
        return epochs

    first, second = holes(train_holes="fixed")
    both = first.keys() & second.keys()
    assert both and all(torch.equal(first[i], second[i]) for i in both)
    assert len({mask.numpy().tobytes() for mask in first.values()}) > 1  # not one for all
    other, _ = holes(train_holes="fixed", seed=1)
    assert not all(torch.equal(first[i], other[i]) for i in first.keys() & other.keys())
    first, second = holes(train_holes="dynamic")
    assert not any(torch.equal(first[i], second[i]) for i in first.keys() & second.keys())
    with pytest.raises(InputError, match="type dynamic or fixed"):
        tiny(train_holes="never")


def test_a_training_batch_can_be_looked_at_without_a_trainer() -> None:
    data = tiny(augment=FlipZoom(zoom=1.5))
    data.trainer = None
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    expected = data.datasets["train"].split.images[batch["index"].numpy()] / 255
    assert np.allclose(batch["image"].permute(0, 2, 3, 1).numpy(), expected, atol=1e-6)
    assert batch["mask"].mean() > 0


def test_a_region_of_a_larger_image_is_averaged_or_keeps_its_detail() -> None:
    generator = torch.Generator().manual_seed(0)
    stripes = (torch.arange(48) % 2).float().expand(64, 1, 48, 48)  # one pixel wide
    noise = torch.rand((2, 3, 48, 48), generator=generator)
    whole = FlipZoom(flip=False, side=16)(noise, generator)
    torch.testing.assert_close(whole, torch.nn.functional.avg_pool2d(noise, 3))
    for side in (40, 20):  # no whole multiples
        shrunk = FlipZoom(flip=False, side=16)(stripes[..., :side, :side], generator)
        assert shrunk.std() < 0.2  # 0.29 without averaging
    with pytest.raises(InputError, match="type data.augment.side=32"):
        tiny(augment=FlipZoom(side=8))
    regions = FlipZoom(zoom=3, side=16)(stripes, generator)
    contrast = regions.flatten(1).std(1)
    assert contrast.max() > 0.15 > 0.05 > contrast.min()  # averages of a whole image have none


def test_the_mask_hash_names_holes_and_images() -> None:
    same = tiny(seed=9, eval_batch_size=2)
    assert tiny().mask_hash() == same.mask_hash()
    assert tiny().mask_hash() != tiny(eval_mask_seed=3).mask_hash()
    assert tiny().mask_hash() != tiny(mask=Rectangle(max_side=0.5)).mask_hash()
    assert tiny().mask_hash("val") != tiny().mask_hash("test")


def test_training_chance_follows_seed_epoch_and_rank_and_repeats() -> None:
    def seen(**settings) -> tuple:
        drawn = batches(tiny(**{"augment": FlipZoom(zoom=1.5), **settings}), "train")
        return (
            torch.cat([b["index"] for b in drawn]).tolist(),
            torch.cat([b["mask"] for b in drawn]).sum().item(),
            torch.cat([b["image"] for b in drawn]).sum().item(),
            torch.rand(1).item(),  # what a method would draw next
        )

    first = seen()
    torch.rand(1000)  # whatever else was drawn before the epoch
    assert seen() == first
    fixed = seen(train_holes="fixed", augment=None)
    assert fixed[-1] == first[-1]  # a method's chance starts anew, whatever the batches draw
    for change in ({"seed": 1}, {"epoch": 1}):
        other = seen(**change)
        assert all(a != b for a, b in zip(first, other, strict=True)), change
    ranks = [seen(rank=rank, world=2) for rank in (0, 1)]
    assert not set(ranks[0][0]) & set(ranks[1][0])
    assert ranks[0][1] != ranks[1][1]


def test_every_training_image_comes_once_an_epoch_with_a_hole_of_its_own() -> None:
    drawn = batches(tiny(), "train")
    assert sorted(torch.cat([b["index"] for b in drawn]).tolist()) == list(range(20))
    masks = torch.cat([b["mask"] for b in drawn]).flatten(1)
    assert len(masks.unique(dim=0)) > 15


def test_flip_zoom_mirrors_half_and_keeps_the_range() -> None:
    image = torch.linspace(0, 1, 32).expand(200, 3, 32, 32).contiguous()
    out = FlipZoom(flip=True, zoom=1.0)(image, torch.Generator().manual_seed(0))
    mirrored = (out[:, 0, 0, 0] > out[:, 0, 0, -1]).float().mean()
    assert 0.35 < mirrored < 0.65
    straight = out[out[:, 0, 0, 0] < out[:, 0, 0, -1]]
    assert torch.allclose(straight, image[: len(straight)], atol=1e-5)
    zoomed = FlipZoom(flip=False, zoom=2.0)(image, torch.Generator().manual_seed(0))
    widths = zoomed[:, 0, 0, -1] - zoomed[:, 0, 0, 0]
    assert widths.min() > 0.45 and widths.max() < 1.001 and widths.std() > 0.05


def test_fewer_images_than_a_batch_and_an_all_hole_mask_are_refused() -> None:
    with pytest.raises(InputError, match="data.batch_size=20 or less"):
        tiny(batch_size=21)
    with pytest.raises(InputError, match="data.batch_size=10 or less"):
        tiny(batch_size=11, world=2)

    def everything(count, height, width, generator):
        return torch.ones(count, 1, height, width)

    with pytest.raises(InputError, match="covers all of it"):
        draw_masks(everything, 2, 8, 8, 0)


def test_flip_mirrors_half_exactly_and_tells_which() -> None:
    plain = {
        int(i): x
        for b in batches(tiny(), "train")
        for i, x in zip(b["index"], b["image"], strict=True)
    }
    found = batches(tiny(augment=Flip()), "train")
    assert all("variant" not in batch for batch in batches(tiny(augment=Flip()), "val"))
    variants = torch.cat([batch["variant"] for batch in found])
    assert 0 < variants.sum() < len(variants)
    for batch in found:
        assert batch["image"].is_contiguous(memory_format=torch.channels_last)
        for index, variant, image in zip(
            batch["index"], batch["variant"], batch["image"], strict=True
        ):
            before = plain[int(index)]
            assert torch.equal(image, before.flip(2) if variant else before)
