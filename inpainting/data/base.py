"""The base class of all data modules: batches of images with masks.

A data set delivers uint8 images. The base class reads them in whole batches, converts and augments
them on the device and adds masks: by default new ones in each training epoch, and always the fixed
mask of each image in evaluation.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from inpainting.data.arrays import Split
from inpainting.data.attributes import attribute_columns
from inpainting.data.augment import FiniteAugmentation
from inpainting.data.dataset import Batch, ImageDataset, as_read, draw_masks
from inpainting.data.order import EpochGenerators, TrainingOrder
from inpainting.errors import InputError
from inpainting.masks.drawing import Kind
from inpainting.values import Count, Natural, Seed, Side

DRAW_FIXED_HOLES = 2  # independent of the streams of `inpainting.data.order`


class InpaintingDataModule(LightningDataModule):
    """A data module whose batches are dicts of tensors.

    image       (B, C, H, W) float32 in [0, 1]
    mask        (B, 1, H, W) float32 in [0, 1], 1 = hole
    index       (B,) int64, the position of each image in its split
    label       (B,) int64, only if the data set has classes
    attributes  (B, A) float32, only if `attributes` names any

    Args:
        mask: kind of hole, see `inpainting.masks`
        image_size: side of the square images, in pixels
        channels: 1 (grey) or 3 (RGB)
        batch_size: images per training step on each device
        eval_batch_size: images per batch in validation and test
        num_workers: number of reading processes; 0 reads in the training process
        seed: seed of all random numbers in training: order, augmentation and holes
        split_seed: seed that splits the images into train, val and test
        eval_mask_seed: seed of the holes of val and test
        augment: maps (images, generator) to images on the device, in training only
        train_holes: "dynamic" draws a new hole for each training image in each epoch, "fixed"
            keeps one hole per image for the whole training
        attributes: names of the attributes that the batches have, in this order; case is ignored

    Raises:
        InputError: `channels`, a batch size or `train_holes` has an impossible value.
    """

    def __init__(
        self,
        *,
        mask: Kind,
        image_size: Side,
        channels: int,
        batch_size: Count,
        eval_batch_size: Count,
        num_workers: Natural,
        seed: Seed,
        split_seed: Natural,
        eval_mask_seed: Natural,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        train_holes: Literal["dynamic", "fixed"] = "dynamic",
        attributes: Sequence[str] = (),
    ):
        super().__init__()
        if channels not in (1, 3):
            raise InputError(f"data.channels={channels}: type 1 (grey) or 3 (RGB)")
        sizes = {"batch_size": batch_size, "eval_batch_size": eval_batch_size}
        for key, size in sizes.items():
            if size < 1:
                raise InputError(f"data.{key}={size}: type 1 or more")
        if train_holes not in ("dynamic", "fixed"):
            raise InputError(f"data.train_holes={train_holes}: type dynamic or fixed")
        side = getattr(augment, "side", None)
        if side not in (None, image_size):
            raise InputError(f"data.augment.side={side}: type data.augment.side={image_size}")
        self.train_holes, self.attributes = train_holes, list(attributes)
        self.mask, self.image_size, self.channels = mask, image_size, channels
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.num_workers, self.augment = num_workers, augment
        self.seed, self.split_seed, self.eval_mask_seed = seed, split_seed, eval_mask_seed
        self.datasets: dict[str, ImageDataset] = {}
        self.generators = EpochGenerators(seed)

    @property
    def stored_size(self) -> int:
        """The side of the images that `read_split` returns, in pixels."""
        return self.image_size

    @abstractmethod
    def read_split(self, name: str) -> Split:
        """Return the images of "train", "val" or "test" as uint8, in memory or memory-mapped."""

    def setup(self, stage: str | None = None) -> None:
        """Open the splits that the stage needs and draw their fixed holes.

        Training opens all splits: it ends with a test, and faults of the test data should surface
        before the training rather than after it.

        Args:
            stage: "validate" opens val, "test" opens test, everything else opens all splits

        Raises:
            InputError: a split is empty, has fewer images than a batch, another number of channels
                or none of the attributes, or a hole does not fit the images.
        """
        self.generators.restart()
        names = {"validate": ("val",), "test": ("test",)}
        for name in names.get(stage, ("train", "val", "test")):
            if name not in self.datasets:
                self.datasets[name] = self._open(name)

    def _open(self, name: str) -> ImageDataset:
        split = self.read_split(name)
        count, height, width, channels = split.images.shape
        size = (height, width) if self.stored_size == self.image_size else (self.image_size,) * 2
        if count == 0:
            raise InputError(f"the {name} split of this data set is empty: add images to the split")
        if channels != self.channels:
            raise InputError(
                f"the {name} images have {channels} channels: type data.channels={channels}"
            )
        columns = attribute_columns(split, self.attributes)
        if name == "train":
            world = self._world_size
            if count < self.batch_size * world:
                raise InputError(
                    f"{count} training images are fewer than one batch "
                    f"(data.batch_size={self.batch_size}, on {world} device(s)): "
                    f"type data.batch_size={max(1, count // world)} or less"
                )
            # Holes that do not fit the images raise here, before the first step.
            self.mask(1, *size, torch.Generator().manual_seed(0))
            if self.train_holes == "dynamic":
                return ImageDataset(split, columns=columns)
        key = (self.seed, DRAW_FIXED_HOLES) if name == "train" else (self.eval_mask_seed,)
        masks = draw_masks(self.mask, count, *size, *key, files=split.files)
        return ImageDataset(split, masks, columns)

    def mask_hash(self, split: str = "test", index: np.ndarray | None = None) -> str:
        """Return 16 hex digits of a hash over images and fixed holes of a split.

        Args:
            split: name of the split
            index: (N,) int64, the images that were tested; None takes all
        """
        dataset = self.datasets[split]
        index = np.arange(len(dataset)) if index is None else np.sort(index)
        digest = hashlib.sha256(np.ascontiguousarray(dataset.masks[index]).data)
        for start in range(0, len(index), 1024):
            part = dataset.split.images[index[start : start + 1024]]
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()[:16]

    def file(self, split: str, index: int) -> str:
        """Return the name of one image, with forward slashes."""
        return Path(self.datasets[split].split.files[index]).as_posix()

    def train_dataloader(self) -> DataLoader:
        """Return the training loader, which shuffles by (seed, epoch) and drops the partial batch.

        Of an epoch that a resumed run goes on with, it reads only the batches that are left.
        """
        dataset, (epoch, batches) = self.datasets["train"], self._place
        done = batches * self.batch_size
        order = TrainingOrder(dataset, self._world_size, self._rank, self.seed, epoch, done)
        return self._loader(dataset, self.batch_size, sampler=order, drop_last=True)

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _place(self) -> tuple[int, int]:
        """The epoch of the next pass over the training images, and its batches that are done.

        A resumed trainer updates `current_epoch` only after it has opened the loader. Workers read
        ahead, so with `current_epoch` they would start on the order of the previous epoch.
        """
        if self.trainer is None:
            return 0, 0
        loop = self.trainer.fit_loop
        epoch = loop.epoch_progress.current
        within = epoch.started > epoch.processed
        return epoch.processed, loop.epoch_loop.batch_progress.current.ready if within else 0

    def val_dataloader(self) -> DataLoader:
        """Return the validation loader, which keeps the order of the split."""
        return self._loader(self.datasets["val"], self.eval_batch_size)

    def test_dataloader(self) -> DataLoader:
        """Return the test loader, which keeps the order of the split."""
        return self._loader(self.datasets["test"], self.eval_batch_size)

    def _loader(self, dataset: ImageDataset, batch_size: int, **options: Any) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=as_read,
            # Without it, opening a loader would advance the global generator, which training uses.
            generator=torch.Generator(),
            **options,
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Convert images to float, augment them and add masks, on the device."""
        # The permuted view of (B, H, W, C) is in channels_last format, which float() preserves.
        image = batch["image"].permute(0, 3, 1, 2).float().div_(255)
        fitting = self.trainer is not None and self.trainer.training
        if fitting:
            self.generators.start(self.trainer.current_epoch, self._rank, image.device)
        if fitting and isinstance(self.augment, FiniteAugmentation):
            batch["variant"] = self.augment.drawn(image, self.generators.generator)
            image = self.augment.made(image, batch["variant"])
        elif fitting and self.augment is not None:
            image = self.augment(image, self.generators.generator)
        if self.stored_size != self.image_size and image.shape[-1] != self.image_size:
            image = F.interpolate(image, (self.image_size,) * 2, mode="bilinear", antialias=True)
        if "mask" in batch:
            mask = batch["mask"].unsqueeze(1).float().div_(255)
        else:
            if self.generators.generator is None:  # a training batch requested without a trainer
                self.generators.generator = self.generators.of_epoch(0, self._rank, image.device)
            mask = self.mask(len(image), *image.shape[2:], self.generators.generator)
        return {**batch, "image": image, "mask": mask}
