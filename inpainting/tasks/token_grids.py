"""The tokens of all training images, computed once and cached where the augmentation allows it."""

import hashlib
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from inpainting.data.augment import FiniteAugmentation
from inpainting.tasks.batches import BATCH, as_float
from inpainting.tasks.made_once import fingerprint, made_once
from inpainting.tokens.tokenizer import Tokenizer

VERSION = 2  # raise it with any change of what is computed: cached tokens are then ignored

log = logging.getLogger(__name__)


def token_grids(tokenizer: Tokenizer, data: Any, *, cache: str | Path) -> Tensor | None:
    """Return the tokens of every variant of every training image; compute them first if needed.

    Args:
        tokenizer: has its weights
        data: the data module, which is set up
        cache: a folder; the tokens of each state of images and weights get a folder in its
            `token_grids`

    Returns:
        (variants, N, h, w) int32; None if the augmentation makes more than a few variants
    """
    augment = data.augment
    if augment is not None and not isinstance(augment, FiniteAugmentation):
        log.info("data.augment changes images without end, so every step computes their tokens")
        return None
    if data.stored_size != data.image_size:
        log.info("data.decoded_size: images are shrunk in each step, which computes their tokens")
        return None
    split = data.datasets["train"].split
    # A mirrored image has other tokens than the mirrored tokens of the image.
    variants = repr(augment), augment.variants if augment else 1
    digest = hashlib.sha256()
    for name, value in tokenizer.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    key = fingerprint(split, VERSION, variants, str(tokenizer), digest.hexdigest())
    folder, _ = made_once(cache, "token_grid", key, partial(_write, tokenizer, split, augment))
    return torch.from_numpy(np.load(folder / "tokens.npy"))


@torch.no_grad()
def _write(
    tokenizer: Tokenizer, split: Any, augment: FiniteAugmentation | None, folder: Path
) -> dict[str, Any]:
    """Tokenise all images and write the tokens to a folder."""
    began = time.perf_counter()
    device = next(tokenizer.parameters()).device
    variants, count = augment.variants if augment else 1, len(split.images)
    grids = []
    for variant in range(variants):
        parts = range(0, count, BATCH)
        for start in track(parts, f"tokenising training images, {variant + 1} of {variants}"):
            image = as_float(split.images[start : start + BATCH]).to(device)
            if augment:
                image = augment.made(image, torch.full((len(image),), variant, device=device))
            grids.append(tokenizer.encode(image).to(torch.int32).cpu())
    tokens = torch.cat(grids).unflatten(0, (variants, count))
    np.save(folder / "tokens.npy", tokens.numpy())
    return {"shape": list(tokens.shape), "seconds": round(time.perf_counter() - began, 1)}
