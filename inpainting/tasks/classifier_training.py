"""Trains a small classifier of labels or attributes on moved images, and tests it."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from inpainting.data.arrays import Split
from inpainting.data.augment import Flip
from inpainting.nn.classifier import Classifier
from inpainting.tasks.batches import as_float, random_batches

SEED = 60000  # a constant, so that trainings of all seeds are measured with the same classifier
SMOOTHING = 0.05  # label smoothing, which keeps the features from growing without bound
# Largest random motion of a training image: rotation in radians, relative scale, share of a side
ANGLE, SCALE, SHIFT = math.radians(10), 0.1, 0.07


def train_classifier(split: Split, settings: dict[str, Any], device: str = "cpu") -> Classifier:
    """Train on images, randomly moved a little; equal input gives an equal network."""
    count, side, _, channels = split.images.shape
    targets = targets_of(split, settings)
    classes = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    network = untrained(channels, side, classes, settings)
    network = network.to(device, memory_format=torch.channels_last)
    steps = max(settings["least_steps"], settings["epochs"] * count // settings["batch_size"])
    optimizer = torch.optim.AdamW(network.parameters(), settings["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    generator = torch.Generator().manual_seed(SEED)
    batches = random_batches(count, settings["batch_size"], steps, generator)
    of = settings.get("of", "labels")
    for batch in track(batches, f"training a classifier of the {of}", steps):
        images = _moved(as_float(split.images[batch]), generator)
        wanted = torch.from_numpy(targets[batch]).to(device)
        if of == "labels":
            logits = network(images.to(device))
            loss = F.cross_entropy(logits, wanted, label_smoothing=SMOOTHING)
        else:
            logits = network(Flip()(images, generator).to(device))
            loss = F.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def accuracy(
    network: torch.nn.Module, split: Split, settings: dict[str, Any], device: str = "cpu"
) -> np.ndarray:
    """Return the share of the images that the network reads right.

    Returns:
        of labels a scalar, of attributes one share for each, (A,)
    """
    targets, attributes = targets_of(split, settings), settings.get("of") == "attributes"
    right = []
    for start in range(0, len(split.images), 500):
        part = slice(start, start + 500)
        logits = network(as_float(split.images[part]).to(device)).cpu().numpy()
        seen = logits > 0 if attributes else logits.argmax(1)
        right.append(seen == (targets[part] > 0.5 if attributes else targets[part]))
    return np.concatenate(right).mean(0)


def targets_of(split: Split, settings: dict[str, Any]) -> np.ndarray:
    """Return what is to be read: labels (N,) int64, or attributes (N, A) float32."""
    return split.attributes if settings.get("of") == "attributes" else split.labels


def untrained(channels: int, image_size: int, classes: int, settings: dict[str, Any]) -> Classifier:
    """Initialise the network from `SEED`, without touching torch's global generator."""
    widths = {name: settings[name] for name in ("width", "num_features") if name in settings}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        return Classifier(channels, image_size, classes, **widths)


def _moved(image: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift each image (B, C, H, W) a little, at random."""
    amount = torch.rand(4, len(image), generator=generator) * 2 - 1
    angle, scale = ANGLE * amount[0], 1 + SCALE * amount[1]
    x, y = 2 * SHIFT * amount[2:]  # coordinates of the sampling grid run from -1 to 1
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cosine, -sine, x, sine, cosine, y], 1).view(-1, 2, 3)
    grid = F.affine_grid(theta, image.shape, align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
