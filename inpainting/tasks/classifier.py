"""The classifier that `metrics=labels` reads images with: trained once for each data set, cached.

A folder `classifiers/<fingerprint>` of the cache holds its weights, and its accuracy in a json.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from rich.progress import track
from torch import Tensor

from inpainting.data.arrays import Split, writing
from inpainting.data.base import InpaintingDataModule
from inpainting.errors import InputError, check_whole
from inpainting.metrics.labels import UNLABELLED
from inpainting.nn.classifier import Classifier
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.runs.provenance import provenance

VERSION = 1  # to be raised with any change of network or training: the cache is trained anew
SEED = 60000  # its own, so that trainings of all seeds are measured with the same classifier
SMOOTHING = 0.05  # of the labels, so that the features do not grow without end
ANGLE, SCALE, SHIFT = math.radians(10), 0.1, 0.07  # how far training moves images, at most

log = logging.getLogger(__name__)


def trained_classifier(
    data: InpaintingDataModule,
    *,
    cache: str | Path,
    epochs: int,
    least_steps: int,
    batch_size: int,
    lr: float,
) -> Classifier:
    """The classifier of a data set's labels, frozen; trained now if the cache does not hold it.

    It is trained on the training split, without holes. Torch's global chance is left alone. Of
    several processes one trains and the others wait.

    Args:
        data: prepared, if that is needed
        cache: its folder `classifiers` gets one for each state of training images and settings
        epochs: passes over the training split
        least_steps: batches at least, for small data
        batch_size: images a step
        lr: the highest learning rate of the cycle

    Raises:
        InputError: the data has no labels, or all are equal; or settings that train nothing.
    """
    check_whole("metrics.label_agreement.classifier.epochs", epochs, 0)
    check_whole("metrics.label_agreement.classifier.least_steps", least_steps, 1)
    check_whole("metrics.label_agreement.classifier.batch_size", batch_size, 1)
    settings = {"epochs": epochs, "least_steps": least_steps, "batch_size": batch_size, "lr": lr}
    split = _split(data, "train")
    if split.labels is None or split.labels.min() == split.labels.max():
        raise InputError(UNLABELLED)
    folder = Path(cache).expanduser() / "classifiers" / split_fingerprint(split, settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _write(folder, data, split, settings)
    details = json.loads((folder / "classifier.json").read_text())
    network = _untrained(*(details[name] for name in ("channels", "image_size", "classes")))
    state = read_checkpoint(folder / "classifier.pt", "metrics.label_agreement.classifier")[
        "state_dict"
    ]
    network.load_state_dict(state)
    share, count = 100 * details["accuracy"], details["test_images"]
    log.info("labels are read by %s: %.2f %% of %d test images right", folder, share, count)
    return network.eval().requires_grad_(False)


def split_fingerprint(split: Split, settings: dict[str, Any]) -> str:
    """16 hex digits that change with any training image, label or setting."""
    details = [VERSION, settings, split.images.shape, split.labels.tolist()]
    digest = hashlib.sha256(json.dumps(details, sort_keys=True).encode())
    for start in range(0, len(split.images), 1024):
        digest.update(np.ascontiguousarray(split.images[start : start + 1024]).data)
    return digest.hexdigest()[:16]


def train_classifier(split: Split, settings: dict[str, Any], device: str = "cpu") -> Classifier:
    """Train on labelled images, slightly moved each time; the same images give the same."""
    count, side, _, channels = split.images.shape
    network = _untrained(channels, side, int(split.labels.max()) + 1)
    network = network.to(device, memory_format=torch.channels_last)
    steps = max(settings["least_steps"], settings["epochs"] * count // settings["batch_size"])
    optimizer = torch.optim.AdamW(network.parameters(), settings["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    generator = torch.Generator().manual_seed(SEED)
    batches = _batches(count, settings["batch_size"], steps, generator)
    for batch in track(batches, "training a classifier of the labels", steps):
        images = _moved(_as_float(split.images[batch]), generator).to(device)
        labels = torch.from_numpy(split.labels[batch]).to(device)
        loss = F.cross_entropy(network(images), labels, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: torch.nn.Module, split: Split, device: str = "cpu") -> float:
    """Share of the images whose label is read."""
    right = 0
    for start in range(0, len(split.images), 500):
        part = slice(start, start + 500)
        read = network(_as_float(split.images[part]).to(device)).argmax(1).cpu().numpy()
        right += int((read == split.labels[part]).sum())
    return right / len(split.images)


def _write(
    folder: Path, data: InpaintingDataModule, split: Split, settings: dict[str, Any]
) -> None:
    log.info("no classifier of these labels in %s yet: it is trained now", folder.parent)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.perf_counter()
    network = train_classifier(split, settings, device)
    seconds = round(time.perf_counter() - began, 1)
    test = _split(data, "test")
    details = {
        "data": type(data).__name__,
        "accuracy": accuracy(network, test, device),
        "test_images": len(test.images),
        "train_images": len(split.images),
        "channels": split.images.shape[3],
        "image_size": split.images.shape[1],
        "classes": network.head.out_features,
        "settings": settings,
        "seconds": seconds,
        **provenance(),
    }
    with writing(folder) as part:
        torch.save({"state_dict": network.cpu().state_dict()}, part / "classifier.pt")
        (part / "classifier.json").write_text(json.dumps(details, indent=2) + "\n")


def _split(data: InpaintingDataModule, name: str) -> Split:
    """A split, not opened a second time where the training has opened it."""
    opened = data.datasets.get(name)
    return opened.split if opened else data.read_split(name)


def _untrained(channels: int, image_size: int, classes: int) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        return Classifier(channels, image_size, classes)


def _batches(count: int, size: int, steps: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Indices (size,) of each step: all images in one order by chance, then in another."""
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(order) < size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:size].numpy()
        order = order[size:]


def _as_float(images: np.ndarray) -> Tensor:
    """(B, H, W, C) uint8 to (B, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255)


def _moved(image: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (B, C, H, W) turned, scaled and shifted a little, by chance."""
    chance = torch.rand(4, len(image), generator=generator) * 2 - 1
    angle, scale = ANGLE * chance[0], 1 + SCALE * chance[1]
    x, y = 2 * SHIFT * chance[2:]  # the grid is 2 wide
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cosine, -sine, x, sine, cosine, y], 1).view(-1, 2, 3)
    grid = F.affine_grid(theta, image.shape, align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
