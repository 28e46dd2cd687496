"""Lightning, our callbacks and logs around GLCIC's step against the step in a bare loop."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from bare_glcic import BareGLCIC
from interleaved import Spread, process_seconds
from lightning import Callback, LightningModule, Trainer, seed_everything
from omegaconf import DictConfig
from torch import Tensor

from inpainting import assembly
from inpainting.data.base import AUGMENTED, TRAINING, InpaintingDataModule, stream
from inpainting.methods.glcic import GLCIC

STEPS, EPOCHS = 200, 7  # the first epoch does not count
TINY = [  # small, so that what is around the network can be seen
    "model=glcic",
    "model.width=4",
    "data=photos",
    # At 32 px the discriminator's last maps would be 1x1, and there torch 2.14 leaves parts of a
    # bf16 convolution's weight gradient uninitialised on CPUs: no two trainings would be equal.
    "data.image_size=40",
    f"data.patches=[{8 * STEPS},16,8]",
    "data.batch_size=8",
    "trainer=cpu",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.precision=bf16-mixed",
    "logger=csv",
    "callbacks=default",
    "metrics=default",
    "+callbacks.progress.console_kwargs.force_terminal=true",  # the display's cost counts
]


class BareLoop:
    """The training of a GLCIC without a framework: same pictures, holes, phases and chance."""

    def __init__(self, method: GLCIC, data: InpaintingDataModule):
        self.method, self.data = method, data
        self.glcic = BareGLCIC(method.generator, method.discriminator, method.local_size, True)
        self.glcic.chance = torch.Generator()

    def epoch(self, epoch: int) -> Iterator[None]:
        """Each `next` is a training step."""
        images = torch.from_numpy(self.data.datasets["train"].pictures.images)
        order = torch.Generator().manual_seed(stream(self.data.seed) % 2**31 + epoch)
        generator = torch.Generator().manual_seed(stream(self.data.seed, 0, epoch, AUGMENTED))
        self.glcic.chance.manual_seed(stream(self.data.seed, 0, epoch, TRAINING))
        ends = [round(0.33 * STEPS), round(0.66 * STEPS), STEPS]
        batches = torch.randperm(len(images), generator=order).split(self.data.batch_size)
        for step, indices in enumerate(batches):
            image = images[indices].permute(0, 3, 1, 2).float().div_(255)
            mask = self.data.mask(len(image), *image.shape[2:], generator)
            phase = next(phase for phase in range(3) if step < ends[phase])
            self.glcic.step(phase, image, mask)
            yield


class Alternating(Callback):
    """A step of the bare loop after every step of the Trainer's; the seconds of both.

    By single steps, because over whole epochs the machine's speed drifts by more than is added.
    """

    def __init__(self, bare: BareLoop):
        self.bare = bare
        self.epochs: list[tuple[float, float]] = []  # seconds a step: ours, bare

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        self.started, self.bare_seconds = time.process_time(), 0.0
        self.steps = self.bare.epoch(trainer.current_epoch)

    def on_train_batch_end(self, *_: Any) -> None:
        # Of this thread alone: the display has one of its own, which is ours.
        start = time.thread_time()
        next(self.steps)
        self.bare_seconds += time.thread_time() - start

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        if not trainer.sanity_checking:
            ours = time.process_time() - self.started - self.bare_seconds
            self.epochs.append((ours / STEPS, self.bare_seconds / STEPS))


def new_method(config: DictConfig) -> GLCIC:
    seed_everything(config.seed, verbose=False)
    return assembly.build_method(config.model, config)


def weights(method: GLCIC) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])


def alternate(config: DictConfig) -> list[tuple[float, float]]:
    """Train both ways at once; seconds a step, ours and bare, in each epoch but the first."""
    data = assembly.build(config.data)
    bare, ours = BareLoop(new_method(config), data), new_method(config)
    trainer = assembly.build_trainer(config)
    watch = Alternating(bare)
    trainer.callbacks.insert(0, watch)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        trainer.fit(ours, data)
    assert len(watch.epochs) == EPOCHS
    assert torch.equal(weights(ours), weights(bare.method))  # it is the same training
    return watch.epochs[1:]


def bare_step_seconds(composed: Callable[..., DictConfig]) -> float:
    """A bare step of the real network, 64 px, width 64, batch 32 in bf16: mean over the phases."""
    method = new_method(composed("model=glcic", "data=photos"))
    bare = BareGLCIC(method.generator, method.discriminator, method.local_size, bf16=True)
    image, mask = torch.rand(32, 3, 64, 64), torch.zeros(32, 1, 64, 64)
    image = image.contiguous(memory_format=torch.channels_last)
    mask[:, :, 20:44, 20:44] = 1
    bare.step(2, image[:2], mask[:2])  # warm
    seconds = [
        process_seconds(lambda phase=phase: bare.step(phase, image, mask)) for phase in range(3)
    ]
    return sum(share * one for share, one in zip(method.phases, seconds, strict=True))


def test_lightning_with_all_our_callbacks_costs_little_more_than_a_bare_loop(
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    report: Callable[..., None],
):
    config = composed(*TINY)
    config.paths.run = str(tmp_path)
    epochs = alternate(config)
    added = [ours - bare for ours, bare in epochs]
    tiny = Spread.of([1e3 * bare for _, bare in epochs]).median
    real = bare_step_seconds(composed)
    report(
        f"training loop, added to a bare step (40 px, width 4, batch 8: {tiny:.1f} ms)",
        Spread.of([1e3 * seconds for seconds in added]),
        at_most=0.6,
        unit=" ms",
    )
    report(
        "training loop, share of the bare loop's speed, derived: the above on a bare GLCIC step "
        f"of {real:.2f} s (64 px, width 64, batch 32, bf16)",
        Spread.of([real / (real + seconds) for seconds in added]),
        at_least=0.99,
        unit="",
        digits=4,
    )
