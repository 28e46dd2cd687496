"""Weights of a tokenizer, trained once on a data set's own training split and cached.

The folder `tokenizers/KEY` of the cache holds them, and how well they reconstruct.
"""

import logging
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from torch import Tensor

from inpainting.atomic import write_checkpoint
from inpainting.data.arrays import Split
from inpainting.data.augment import Flip
from inpainting.errors import InputError, check_whole
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.runs.folder import Run
from inpainting.runs.provenance import provenance
from inpainting.runs.status import status
from inpainting.tasks.batches import BATCH, as_float, random_batches
from inpainting.tasks.checks import check_stored
from inpainting.tasks.made_once import fingerprint, made_once
from inpainting.tokens.fsq import FSQTokenizer
from inpainting.tokens.tokenizer import Tokenizer
from inpainting.values import Count, Positive

VERSION = 2  # raise it with any change of the training: cached tokenizers are then ignored
SEED = 8192  # a constant, so that trainings of all seeds have the same tokens

log = logging.getLogger(__name__)


def trained_tokenizer(
    tokenizer: FSQTokenizer,
    data: Any,
    *,
    cache: str | Path,
    steps: Count,
    batch_size: Count,
    lr: Positive,
) -> dict[str, Any]:
    """Give a tokenizer its weights; train them first if the cache lacks them.

    It is trained on whole images of the training split, to reconstruct them. If several processes
    ask for it, one trains and the others wait.

    Args:
        tokenizer: takes the weights
        data: the data module, which is set up
        cache: a folder; each state of training images and settings gets a folder in its
            `tokenizers`
        steps: of the training
        batch_size: images in a step
        lr: AdamW's highest rate, of a one-cycle schedule

    Returns:
        PSNR of the reconstructions of the test images, in dB, and the share of all tokens that
        these use

    Raises:
        InputError: a setting would train nothing, or a side of the images is no multiple of the
            stride.
    """
    check_whole("tokenizer.weights.steps", steps, 1)
    check_whole("tokenizer.weights.batch_size", batch_size, 1)
    check_stored(data, "a tokenizer")
    split, test = (data.datasets[name].split for name in ("train", "test"))
    side = split.images.shape[1]
    if side % tokenizer.stride:
        raise InputError(
            f"data.image_size={side}: the tokenizer divides images into patches of "
            f"{tokenizer.stride} px; type data.image_size={side + -side % tokenizer.stride}"
        )
    settings = {"steps": steps, "batch_size": batch_size, "lr": lr, "network": str(tokenizer)}
    folder, details = made_once(
        cache,
        "tokenizer",
        fingerprint(split, VERSION, settings),
        partial(_train, tokenizer, split, test, settings),
    )
    state = read_checkpoint(folder / "tokenizer.pt", "tokenizer.weights")["state_dict"]
    tokenizer.load_state_dict(state)
    _announce(folder, details["psnr"], details["usage"], tokenizer, test)
    return {"tokenizer_psnr": details["psnr"], "tokenizer_usage": details["usage"]}


def settle_tokenizer(config: DictConfig) -> None:
    """Put the network of `tokenizer.run` into a composed configuration, if that names a run.

    What is recorded then does not need that run's folder again.

    Raises:
        InputError: the folder holds no run, or the run's model is no tokenizer.
    """
    chosen = config.get("tokenizer")
    if chosen is None or chosen.module is not None:
        return
    if config.get("resume") is not None:  # it has the network and its weights
        before = Run.open(config.resume, "resume")
        if OmegaConf.select(before.config, "tokenizer.run") == chosen.run:
            recorded = before.part("tokenizer.module", config)
            OmegaConf.update(config, "tokenizer.module", recorded, force_add=True)
            return
    run = Run.open(chosen.run, "tokenizer.run")
    network = run.part("model", config).get("network")
    if not isinstance(network, DictConfig) or not issubclass(
        get_class(network.get("_target_", "builtins.object")), Tokenizer
    ):
        raise InputError(
            f"tokenizer.run={chosen.run}: its model is no tokenizer; train one by model=dvae"
        )
    if status(run.folder) != "finished":
        raise InputError(
            f"tokenizer.run={chosen.run}: its training is not finished; type "
            f"python -m inpainting.train resume={chosen.run} first"
        )
    if network.channels != config.data.channels:
        raise InputError(
            f"tokenizer.run={chosen.run}: its images have {network.channels} channel(s), but "
            f"data.channels is {config.data.channels}; type data.channels={network.channels}, or "
            "a run of model=dvae on images like these"
        )
    OmegaConf.update(config, "tokenizer.module", network, force_add=True)


def weights_of_run(tokenizer: Tokenizer, data: Any, *, run: str) -> dict[str, Any]:
    """Give a tokenizer the best weights of a run of model=dvae.

    Args:
        tokenizer: takes the weights
        data: the data module, which is set up; None leaves out how well its images are tokenised
        run: folder of the run

    Returns:
        the run, and PSNR of the reconstructions of the test images, in dB, and the share of all
        tokens that these use
    """
    path = Run.open(run, "tokenizer.run").checkpoint("best", "tokenizer.run")
    state = read_checkpoint(path, "tokenizer.run")["state_dict"].items()
    prefix = "network."
    own = {name.removeprefix(prefix): value for name, value in state if name.startswith(prefix)}
    tokenizer.load_state_dict(own)
    facts: dict[str, Any] = {"tokenizer_run": run}
    if data is not None:
        psnr, usage = reconstruction(tokenizer, data.datasets["test"].split)
        facts |= {"tokenizer_psnr": psnr, "tokenizer_usage": usage}
        _announce(run, psnr, usage, tokenizer, data.datasets["test"].split)
    return facts


def train_tokenizer(tokenizer: FSQTokenizer, split: Split, settings: dict[str, Any]) -> None:
    """Train to reconstruct images, mirrored at random; equal input gives equal weights."""
    steps, size, lr = (settings[name] for name in ("steps", "batch_size", "lr"))
    optimizer = torch.optim.AdamW(tokenizer.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    generator, mirrored = torch.Generator().manual_seed(SEED), Flip()
    device = next(tokenizer.parameters()).device
    batches = random_batches(len(split.images), size, steps, generator)
    for batch in track(batches, "training a tokenizer of the images", steps):
        image = mirrored(as_float(split.images[batch]), generator).to(device)
        # The absolute error keeps edges; the squared one, what PSNR counts.
        error = tokenizer(image) - image
        loss = error.abs().mean() + error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def reconstruction(tokenizer: Tokenizer, split: Split) -> tuple[float, float]:
    """Return the mean PSNR of the reconstructions in dB, and the share of all tokens used."""
    device = next(tokenizer.parameters()).device
    found, used = [], torch.zeros(tokenizer.vocab_size, dtype=torch.bool, device=device)
    for start in range(0, len(split.images), BATCH):
        image = as_float(split.images[start : start + BATCH]).to(device)
        tokens = tokenizer.encode(image)
        used[tokens.flatten()] = True
        squared = (tokenizer.decode(tokens) - image).square().mean((1, 2, 3))
        found.append(-10 * squared.clamp(min=1e-10).log10())
    return float(torch.cat(found).mean()), float(used.float().mean())


def _announce(
    folder: str | Path, psnr: float, usage: float, tokenizer: Tokenizer, test: Split
) -> None:
    log.info(
        "images are tokenised by %s: %.2f dB, %.0f %% of %d tokens used on %d test images",
        folder,
        psnr,
        100 * usage,
        tokenizer.vocab_size,
        len(test.images),
    )


def _train(
    tokenizer: FSQTokenizer, split: Split, test: Split, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Train a tokenizer, write its weights to a folder, and return what is known about it."""
    began = time.perf_counter()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        for module in tokenizer.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    tokenizer.to(device, memory_format=torch.channels_last).requires_grad_(True)
    train_tokenizer(tokenizer, split, settings)
    psnr, usage = reconstruction(tokenizer.requires_grad_(False), test)
    if not math.isfinite(psnr):
        raise InputError(f"tokenizer.weights.lr={settings['lr']}: the training diverged; type less")
    state: dict[str, Tensor] = {k: v.cpu() for k, v in tokenizer.state_dict().items()}
    write_checkpoint(folder / "tokenizer.pt", {"state_dict": state})
    return {
        "psnr": psnr,
        "usage": usage,
        "vocab_size": tokenizer.vocab_size,
        "test_images": len(test.images),
        "train_images": len(split.images),
        "settings": settings,
        "seconds": round(time.perf_counter() - began, 1),
        **provenance(),
    }
