"""The classifiers of labels and attributes that metrics judge with, trained once and cached.

The folder `classifiers/KEY` of the cache holds a classifier's weights, and its accuracy in a json.
"""

import logging
import time
from functools import cache as cache_calls
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from inpainting.atomic import write_checkpoint
from inpainting.data.arrays import Split
from inpainting.data.base import InpaintingDataModule
from inpainting.errors import InputError, check_whole
from inpainting.metrics.attributes import UNLISTED
from inpainting.metrics.labels import UNLABELLED
from inpainting.nn.classifier import Classifier
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.runs.provenance import provenance
from inpainting.tasks.checks import check_stored
from inpainting.tasks.classifier_training import accuracy, targets_of, train_classifier, untrained
from inpainting.tasks.made_once import fingerprint, made_once
from inpainting.values import Count, Natural, Positive

VERSION = 1  # raise it with any change of network or training: cached classifiers are then ignored
KEYS = {  # of the settings, for error messages
    "labels": "metrics.label_agreement.classifier",
    "attributes": "metrics.steering.judge",
}
SHAPE = ("channels", "image_size", "classes")  # what a network is built from, beside its widths

log = logging.getLogger(__name__)


def trained_classifier(
    data: InpaintingDataModule,
    *,
    cache: str | Path,
    epochs: Natural,
    least_steps: Count,
    batch_size: Count,
    lr: Positive,
    of: Literal["labels", "attributes"] = "labels",
    **network: int,
) -> Classifier:
    """Return the frozen classifier of a data set; train it first if the cache lacks it.

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
        of: "labels", of which each image has one, or "attributes", any of which an image may have
        network: widths of `Classifier`

    Raises:
        InputError: the data set has no labels, its labels are all equal, it has no attributes, or
            the settings would train nothing.
    """
    check_stored(data, "a classifier")
    key = KEYS[of]
    check_whole(f"{key}.epochs", epochs, 0)
    check_whole(f"{key}.least_steps", least_steps, 1)
    check_whole(f"{key}.batch_size", batch_size, 1)
    settings = {"epochs": epochs, "least_steps": least_steps, "batch_size": batch_size, "lr": lr}
    settings |= network if of == "labels" else {"of": of, **network}
    split = _split(data, "train")
    if of == "labels" and (split.labels is None or split.labels.min() == split.labels.max()):
        raise InputError(UNLABELLED)
    if of == "attributes" and split.attributes is None:
        raise InputError(UNLISTED)
    folder, details = made_once(
        cache,
        "classifier",
        classifier_key(split, settings),
        partial(_train, data, split, settings),
    )
    classifier = untrained(*(details[name] for name in SHAPE), settings)
    classifier.load_state_dict(read_checkpoint(folder / "classifier.pt", key)["state_dict"])
    _say_once(of, folder, 100 * details["accuracy"], details["test_images"])
    return classifier.eval().requires_grad_(False)


@cache_calls
def _say_once(of: str, folder: Path, share: float, count: int) -> None:
    """Say how well a classifier reads, once although several metrics ask for it."""
    log.info("%s are read by %s, right on %.2f %% of %d test images", of, folder, share, count)


def classifier_key(split: Split, settings: dict[str, Any]) -> str:
    """Return 16 hex digits that change with any training image, label, attribute or setting."""
    return fingerprint(split, VERSION, settings, targets_of(split, settings).tolist())


def _train(
    data: InpaintingDataModule, split: Split, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Train a classifier, write its weights to a folder, and return what is known about it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.perf_counter()
    network = train_classifier(split, settings, device)
    seconds = round(time.perf_counter() - began, 1)
    test = _split(data, "test")
    right = accuracy(network, test, settings, device)
    write_checkpoint(folder / "classifier.pt", {"state_dict": network.cpu().state_dict()})
    return {
        "data": type(data).__name__,
        "accuracy": float(right.mean()),
        "accuracies": dict(zip(test.attribute_names, np.atleast_1d(right).tolist(), strict=False)),
        "test_images": len(test.images),
        "train_images": len(split.images),
        "channels": split.images.shape[3],
        "image_size": split.images.shape[1],
        "classes": network.head.out_features,
        "settings": settings,
        "seconds": seconds,
        **provenance(),
    }


def _split(data: InpaintingDataModule, name: str) -> Split:
    """Return a split, without opening it a second time if the training has opened it."""
    opened = data.datasets.get(name)
    return opened.split if opened else data.read_split(name)
