"""The classifier that `metrics=labels` reads images with, trained once per data set and cached.

The folder `classifiers/<fingerprint>` of the cache holds its weights, and its accuracy in a json.
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

VERSION = 1  # raise it with any change of network or training: cached classifiers are then ignored
SEED = 60000  # a constant, so that trainings of all seeds are measured with the same classifier
SMOOTHING = 0.05  # label smoothing, which keeps the features from growing without bound
# Largest random motion of a training image: rotation in radians, relative scale, share of a side
ANGLE, SCALE, SHIFT = math.radians(10), 0.1, 0.07

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
    """Return the frozen classifier of a data set's labels; train it first if the cache lacks it.

    The classifier is trained on the images of the training split, without holes. Torch's global
    generator is not touched. If several processes ask for a classifier, one trains and the others
    wait.

    Args:
        data: the data set, on which `prepare_data` was called if it needs that
        cache: a folder; each state of training images and settings gets a folder in its
            `classifiers`
        epochs: passes over the training split
        least_steps: lower bound on the number of steps, for small data sets
        batch_size: images per step
        lr: the highest learning rate of the one-cycle schedule

    Raises:
        InputError: the data set has no labels, its labels are all equal, or the settings would
            train nothing.
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
    log.info("labels are read by %s, right on %.2f %% of %d test images", folder, share, count)
    return network.eval().requires_grad_(False)


def split_fingerprint(split: Split, settings: dict[str, Any]) -> str:
    """Return 16 hex digits that change with any training image, label or setting."""
    details = [VERSION, settings, split.images.shape, split.labels.tolist()]
    digest = hashlib.sha256(json.dumps(details, sort_keys=True).encode())
    for start in range(0, len(split.images), 1024):
        digest.update(np.ascontiguousarray(split.images[start : start + 1024]).data)
    return digest.hexdigest()[:16]


def train_classifier(split: Split, settings: dict[str, Any], device: str = "cpu") -> Classifier:
    """Train on labelled images, randomly moved a little; equal input gives an equal network."""
    count, side, _, channels = split.images.shape
    network = _untrained(channels, side, int(split.labels.max()) + 1)
    network = network.to(device, memory_format=torch.channels_last)
    steps = max(settings["least_steps"], settings["epochs"] * count // settings["batch_size"])
    optimizer = torch.optim.AdamW(network.parameters(), settings["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    generator = torch.Generator().manual_seed(SEED)
    batches = _batches(count, settings["batch_size"], steps, generator)
    for batch in track(batches, "training a classifier for the labels", steps):
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
    """Return the share of the images whose label the network predicts."""
    right = 0
    for start in range(0, len(split.images), 500):
        part = slice(start, start + 500)
        read = network(_as_float(split.images[part]).to(device)).argmax(1).cpu().numpy()
        right += int((read == split.labels[part]).sum())
    return right / len(split.images)


def _write(
    folder: Path, data: InpaintingDataModule, split: Split, settings: dict[str, Any]
) -> None:
    log.info("there is no classifier of these labels in %s: one is trained now", folder.parent)
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
    """Return a split, without opening it a second time if the training has opened it."""
    opened = data.datasets.get(name)
    return opened.split if opened else data.read_split(name)


def _untrained(channels: int, image_size: int, classes: int) -> Classifier:
    """Initialise the network from `SEED`, without touching torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        return Classifier(channels, image_size, classes)


def _batches(count: int, size: int, steps: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Yield the indices (size,) of each step, from one random permutation after another."""
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(order) < size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:size].numpy()
        order = order[size:]


def _as_float(images: np.ndarray) -> Tensor:
    """Convert (B, H, W, C) uint8 to (B, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255)


def _moved(image: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift each image (B, C, H, W) a little, at random."""
    amount = torch.rand(4, len(image), generator=generator) * 2 - 1
    angle, scale = ANGLE * amount[0], 1 + SCALE * amount[1]
    x, y = 2 * SHIFT * amount[2:]  # coordinates of the sampling grid run from -1 to 1
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cosine, -sine, x, sine, cosine, y], 1).view(-1, 2, 3)
    grid = F.affine_grid(theta, image.shape, align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
