"""Fills image files: pairs images with masks, checks all of them, then fills and writes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inpainting.errors import InputError
from inpainting.images.files import read_mask, read_photo
from inpainting.images.listing import list_images
from inpainting.methods.base import Inpainter
from inpainting.tasks.asking import ask
from inpainting.tasks.build import build_trainer
from inpainting.tasks.parts import method_of_run


@dataclass(frozen=True)
class Filling:
    """One image file, its mask if a hole is filled, and the result's path without its suffix."""

    image: Path
    mask: Path | None
    out: Path


def pair(images: Path, masks: Path | None, out: Path) -> list[Filling]:
    """Match images with masks: one mask for all images, or a mask of the same name for each.

    Args:
        images: an image file, or a folder of images
        masks: a mask file, or a folder of masks; None where whole images are edited
        out: folder of the results, which keep the images' names and subfolders

    Raises:
        InputError: a path does not exist, a folder holds no image, or an image has no mask.
    """
    for key, path in (("input", images), ("masks", masks)):
        if path is not None and not path.exists():
            raise InputError(f"{key}={path}: there is no such file or folder; type another path")
    if images.is_file():
        found, root = [images], images.parent
    else:
        found, root = list_images(images), images
    if not found:
        raise InputError(f"input={images}: no image in it; type another folder")
    if masks is not None and masks.is_dir():
        partners = {path.relative_to(masks).with_suffix(""): path for path in list_images(masks)}
    names = [path.relative_to(root).with_suffix("") for path in found]
    fillings, count = [], Counter(names)
    for path, name in zip(found, names, strict=True):
        mask = partners.get(name) if masks is not None and masks.is_dir() else masks
        if mask is None and masks is not None:
            raise InputError(
                f"{path} has no mask: put a mask named {name}.png into {masks}, or remove the "
                f"image from {images}"
            )
        # a.jpg and a.png side by side would both become a.png
        target = name if count[name] == 1 else path.relative_to(root)
        fillings.append(Filling(path, mask, out / target.parent / target.name))
    return fillings


def check_files(
    fillings: Sequence[Filling], mask_hole: str, overwrite: bool, completions: int
) -> None:
    """Read every image and mask once, before any long work.

    Args:
        fillings: what will be filled
        mask_hole: colour of the hole in the masks, "white" or "black"
        overwrite: True if results may replace existing files
        completions: number of completions of each image

    Raises:
        InputError: a file cannot be read, an image and its mask differ in size, a mask leaves no
            known pixel, or a result exists already.
    """
    for filling in track(fillings, "Checking images and masks", transient=True):
        height, width = read_photo(filling.image).pixels.shape[:2]
        mask = _mask(filling, height, width, mask_hole)
        if tuple(mask.shape[2:]) != (height, width):
            raise InputError(
                f"the mask {filling.mask} is {mask.shape[3]}x{mask.shape[2]}, but its image "
                f"{filling.image} is {width}x{height}: type a mask of the image's size"
            )
        if filling.mask is not None and (mask > 0).all():
            other = "black" if mask_hole == "white" else "white"
            raise InputError(
                f"the mask {filling.mask} covers the whole image and leaves no known pixel to fill "
                f"from; if its hole is {other}, type mask_hole={other}"
            )
        for path in output_paths(filling, completions):
            if path.exists() and not overwrite:
                raise InputError(
                    f"{path} exists already: type overwrite=true, or out=FOLDER with another folder"
                )


def output_paths(filling: Filling, completions: int) -> list[Path]:
    """Return the files that a filling writes, one for each completion."""
    numbers = [""] if completions == 1 else [f"_{k + 1}" for k in range(completions)]
    return [filling.out.with_name(f"{filling.out.name}{number}.png") for number in numbers]


def _mask(filling: Filling, height: int, width: int, mask_hole: str) -> Tensor:
    """Return the pixels that the result replaces, (1, 1, H, W): the hole, or all of an edit."""
    if filling.mask is None:
        return torch.ones(1, 1, height, width)
    return read_mask(filling.mask, mask_hole)


class _ImageFiles(Dataset):
    """The images and masks of fillings, as tensors that the method takes."""

    def __init__(self, fillings: Sequence[Filling], channels: int, mask_hole: str):
        self.fillings, self.channels, self.mask_hole = fillings, channels, mask_hole

    def __len__(self) -> int:
        return len(self.fillings)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        filling = self.fillings[i]
        image = read_photo(filling.image).to_tensor(self.channels)
        mask = _mask(filling, *image.shape[-2:], self.mask_hole)
        return {"image": image, "mask": mask, "index": torch.tensor([i])}


class _Writer(BasePredictionWriter):
    """Writes the completions of each image as soon as it is filled."""

    def __init__(self, fillings: Sequence[Filling]):
        super().__init__("batch")
        self.fillings, self.done = fillings, 0

    def write_on_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, prediction: Tensor, *args: Any
    ) -> None:
        batch = args[1]
        filling, mask = self.fillings[int(batch["index"])], batch["mask"].cpu()
        photo = read_photo(filling.image)
        filling.out.parent.mkdir(parents=True, exist_ok=True)
        completions = prediction[0].cpu()
        for path, completion in zip(
            output_paths(filling, len(completions)), completions, strict=True
        ):
            photo.fill(completion[None], mask).save(path)
        self.done += 1


def fill(config: DictConfig) -> None:
    """Fill the holes of image files, or edit whole images, as configured.

    Raises:
        InputError: `input` or `masks` is missing; see also `pair`, `method_of_run` and
            `check_files`.
    """
    if config.edit and config.masks is not None:
        raise InputError("edit=true changes whole images: leave out masks or leave out edit=true")
    for key in ("input",) if config.edit else ("input", "masks"):
        if config[key] is None:
            raise InputError(f"{key} is missing: type {key}=FILE_OR_FOLDER")
    out, masks = Path(config.out), None if config.masks is None else Path(config.masks)
    fillings = pair(Path(config.input), masks, out)
    method, name = method_of_run(config)
    if not (method.fills_holes or config.edit):
        raise InputError(
            f"run={config.run}: {name} reconstructs images and fills no holes; type the run of "
            "another model, or edit=true without masks for reconstructions"
        )
    _ask(method, name, config)
    check_files(fillings, config.mask_hole, config.overwrite, method.num_completions)
    with open_dict(config):
        progress = config.callbacks.get("progress")
        config.callbacks = {"progress": progress} if progress else {}
    trainer = build_trainer(config)
    writer = _Writer(fillings)
    trainer.callbacks.append(writer)
    loader = DataLoader(_ImageFiles(fillings, method.channels, config.mask_hole), batch_size=None)
    try:
        trainer.predict(method, loader, return_predictions=False)
    except SystemExit:  # SIGTERM, or Lightning's answer to Ctrl-C
        text = f"stopped: {writer.done} of {len(fillings)} are in {out}"
        Console().print(
            f"{text}; overwrite=true fills all of them anew", soft_wrap=True, highlight=False
        )
        raise
    done = "Edited" if config.edit else "Filled"
    times = f", {method.num_completions} times each" if method.num_completions > 1 else ""
    text = f"{done} {len(fillings)} image(s){times}: {out}"
    Console().print(text, soft_wrap=True, highlight=False)


def _ask(method: Inpainter, name: str, config: DictConfig) -> None:
    """Tell the method which attributes to show; say which are taken as 0 because none is typed.

    Raises:
        InputError: the method is not told such an attribute.
    """
    ask(method, name, config.attributes, config.edit)
    for name in method.attributes.names:
        if name not in method.attributes.asked:
            text = f"attributes.{name} is not typed: completions are to be without it (0)"
            Console().print(text, soft_wrap=True, highlight=False)
