"""Lightning, our callbacks and logs around GLCIC's step against the step in a bare loop."""

import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import torch
from bare_glcic import BareGLCIC
from interleaved import Spread, in_turn, process_seconds
from lightning import Callback, seed_everything
from omegaconf import DictConfig

from inpainting import assembly
from inpainting.data.base import AUGMENTED, TRAINING, InpaintingDataModule, stream
from inpainting.methods.glcic import GLCIC

STEPS, EPOCHS = 300, 2
TINY = [  # small, so that what is around the network can be seen
    "model=glcic",
    "model.width=4",
    "data=photos",
    "data.image_size=32",
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


class EpochSeconds(Callback):
    """CPU seconds of each epoch's training batches, validation not counted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        self.start = time.process_time()

    def on_validation_start(self, trainer: object, *_: object) -> None:
        if not trainer.sanity_checking:
            self.seconds.append(time.process_time() - self.start)


def fit(config: DictConfig, data: InpaintingDataModule) -> tuple[GLCIC, float]:
    """Train as `inpainting.train` does; the method and a step's seconds in the last epoch."""
    seed_everything(config.seed, verbose=False)
    method = assembly.build_method(config.model, config)
    trainer = assembly.build_trainer(config)
    watch = EpochSeconds()
    trainer.callbacks.insert(0, watch)
    data.generator = None  # a training of its own, not the one before continued
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        trainer.fit(method, data)
    assert len(watch.seconds) == EPOCHS
    return method, watch.seconds[-1] / STEPS


def bare_fit(config: DictConfig, data: InpaintingDataModule) -> tuple[GLCIC, float]:
    """The same training in a bare loop: same weights, pictures, holes and phases."""
    seed_everything(config.seed, verbose=False)
    method = assembly.build_method(config.model, config)
    bare = BareGLCIC(method.generator, method.discriminator, method.local_size, bf16=True)
    images = torch.from_numpy(data.datasets["train"].pictures.images)
    phases = [0, 1, 2]
    ends = [round(0.33 * STEPS), round(0.66 * STEPS), STEPS]
    for epoch in range(EPOCHS):
        start = time.process_time()
        order = torch.Generator().manual_seed(stream(data.seed) % 2**31 + epoch)
        generator = torch.Generator().manual_seed(stream(data.seed, 0, epoch, AUGMENTED))
        torch.manual_seed(stream(data.seed, 0, epoch, TRAINING))
        batches = torch.randperm(len(images), generator=order).split(data.batch_size)
        for step, indices in enumerate(batches):
            image = images[indices].permute(0, 3, 1, 2).float().div_(255)
            mask = data.mask(len(image), *image.shape[2:], generator)
            phase = next(phase for phase in phases if step < ends[phase])
            bare.step(phase, image, mask)
        seconds = time.process_time() - start
    return method, seconds / STEPS


def weights(method: GLCIC) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])


def bare_step_seconds(composed: Callable[..., DictConfig]) -> float:
    """A bare step of the real network, 64 px, width 64, batch 32 in bf16: mean over the phases."""
    config = composed("model=glcic", "data=photos")
    method = assembly.build_method(config.model, config)
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
    data = assembly.build(config.data)

    ours, _ = fit(config, data)
    plain, _ = bare_fit(config, data)
    assert torch.equal(weights(ours), weights(plain))  # it is the same training

    pairs = in_turn(lambda: fit(config, data)[1], lambda: bare_fit(config, data)[1])
    added = [one - other for one, other in pairs]
    tiny = f"32 px, width 4, batch 8, bare step {min(other for _, other in pairs) * 1e3:.1f} ms"
    real = bare_step_seconds(composed)
    report(
        f"training loop, ours added to a bare step ({tiny})",
        Spread.of([1e3 * seconds for seconds in added]),
        at_most=0.6,
        unit=" ms",
    )
    report(
        f"training loop, speed of the bare loop's, derived from that and a bare GLCIC step of "
        f"{real:.2f} s (64 px, batch 32, bf16)",
        Spread.of([real / (real + seconds) for seconds in added]),
        at_least=0.99,
        digits=4,
    )
