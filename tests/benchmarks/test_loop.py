"""Lightning, our callbacks and logs around a method's step against the step in a bare loop."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from bare_glcic import BareGLCIC
from interleaved import Spread, process_seconds
from lightning import Callback, LightningModule, Trainer, seed_everything
from omegaconf import DictConfig
from torch import Tensor

from inpainting.data.base import InpaintingDataModule
from inpainting.data.order import DRAW_BATCHES, DRAW_NOISE
from inpainting.methods.conv_ae import ConvAE
from inpainting.methods.glcic import GLCIC
from inpainting.methods.token_bert import TokenBERT
from inpainting.rng import seed_from
from inpainting.tasks.build import build, build_method, build_trainer

STEPS, EPOCHS = 200, 7  # the first epoch does not count
TINY = [  # small, so that what is around the network can be seen
    "model=glcic",
    "model.width=4",
    "data=photos",
    "budget=full",
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
    "+callbacks.progress.console_kwargs.force_terminal=true",  # so that it draws
]


CONV_AE = [
    "model=conv_ae",
    "data=photos",
    "budget=full",
    "data.image_size=28",
    "data.channels=1",
    f"data.patches=[{128 * STEPS},16,8]",
    "data.batch_size=128",
    "trainer.precision=32-true",
]


TOKENS = 16  # all that an image of 32 px has
TOKEN_BERT = [
    "model=token_bert",
    "data=photos",
    "budget=full",
    "data.image_size=32",
    "data.batch_size=32",
    f"data.patches=[{32 * STEPS},16,8]",
    "trainer.precision=bf16-mixed",
    "model.network.width=128",
    "model.network.layers=2",
    "model.network.dropout=0.0",  # both trainings would draw from one source
    f"model.train_tokens={TOKENS}",
    "model.token_grids=null",  # the bare loop tokenises in every step too
    "tokenizer.weights.steps=10",
]
Method = GLCIC | ConvAE | TokenBERT


class BareConvAE:
    """ConvAE's step in plain torch, with the optimiser of its yaml."""

    def __init__(self, method: ConvAE):
        self.network = method.network.train()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, weight_decay=1e-5)
        self.chance = torch.Generator()

    def step(self, phase: int, image: Tensor, mask: Tensor) -> None:
        """One step; it has one phase alone."""
        prediction = self.network(torch.where(mask > 0, 0.0, image))
        loss = (prediction - image).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class BareTokenBERT:
    """TokenBERT's step in plain torch, with the optimiser of its yaml."""

    def __init__(self, method: TokenBERT, data: InpaintingDataModule):
        method.trainer = SimpleNamespace(datamodule=data)  # whose images its tokenizer is made from
        method.setup("fit")
        self.network, self.tokenizer = method.network.train(), method.tokenizer
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=3e-4)
        self.chance = torch.Generator()

    def step(self, phase: int, image: Tensor, mask: Tensor) -> None:
        """One step; it has one phase alone."""
        with torch.no_grad():
            target = self.tokenizer.encode(image)
        hidden = torch.nn.functional.max_pool2d(mask, 8)[:, 0] > 0
        places = (~hidden.flatten(1)).to(torch.uint8).argsort(dim=1, stable=True)[:, :TOKENS]
        present = hidden.flatten(1).gather(1, places)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(target, hidden, places)
        error = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2).float(), target.flatten(1).gather(1, places), reduction="none"
        )
        loss = ((error * present).sum(1) / present.sum(1).clamp(min=1)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class BareLoop:
    """A training without a framework: same images, holes, phases and chance."""

    def __init__(self, method: Method, data: InpaintingDataModule):
        self.method, self.data = method, data
        if isinstance(method, GLCIC):
            self.bare = BareGLCIC(
                method.generator, method.discriminator, method.critic.local_size, True
            )
            self.bare.chance = torch.Generator()
        elif isinstance(method, TokenBERT):
            self.bare = BareTokenBERT(method, data)
        else:
            self.bare = BareConvAE(method)

    def epoch(self, epoch: int) -> Iterator[None]:
        """Each `next` is a training step."""
        images = torch.from_numpy(self.data.datasets["train"].split.images)
        order = torch.Generator().manual_seed(seed_from(self.data.seed) % 2**31 + epoch)
        generator = torch.Generator().manual_seed(seed_from(self.data.seed, 0, epoch, DRAW_BATCHES))
        self.bare.chance.manual_seed(seed_from(self.data.seed, 0, epoch, DRAW_NOISE))
        ends = [round(0.33 * STEPS), round(0.66 * STEPS), STEPS]
        batches = torch.randperm(len(images), generator=order).split(self.data.batch_size)
        for step, indices in enumerate(batches):
            image = images[indices].permute(0, 3, 1, 2).float().div_(255)
            mask = self.data.mask(len(image), *image.shape[2:], generator)
            phase = next(phase for phase in range(3) if step < ends[phase])
            self.bare.step(phase, image, mask)
            yield


class Screen(io.TextIOBase):
    """A terminal that counts how often it is drawn on."""

    redraws = 0

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        self.redraws += 1


class Epoch(NamedTuple):
    """CPU seconds of a step in our loop and in the bare one, and of a redraw of the display."""

    ours: float
    bare: float
    redraw: float


class Alternating(Callback):
    """A step of the bare loop after every step of the Trainer's, each on its own clock.

    By single steps, because over whole epochs the machine's speed drifts by more than is added.
    The display is drawn by a thread of its own so many times a second, not a step; it is apart.
    """

    def __init__(self, bare: BareLoop, screen: Screen):
        self.bare, self.screen = bare, screen
        self.epochs: list[Epoch] = []

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        self.process, self.redraws = time.process_time(), self.screen.redraws
        self.started, self.bare_seconds = time.thread_time(), 0.0
        self.steps = self.bare.epoch(trainer.current_epoch)

    def on_train_batch_end(self, *_: Any) -> None:
        start = time.thread_time()
        next(self.steps)
        self.bare_seconds += time.thread_time() - start

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        training = time.thread_time() - self.started
        drawing = time.process_time() - self.process - training
        redraws = max(1, self.screen.redraws - self.redraws)
        self.epochs.append(
            Epoch(
                (training - self.bare_seconds) / STEPS, self.bare_seconds / STEPS, drawing / redraws
            )
        )


def new_method(config: DictConfig) -> Method:
    seed_everything(config.seed, verbose=False)
    return build_method(config.model, config)


def weights(method: Method) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])


def alternate(config: DictConfig) -> list[Epoch]:
    """Train both ways at once; all epochs but the first."""
    data = build(config.data)
    data.prepare_data()
    data.setup()
    bare, ours = BareLoop(new_method(config), data), new_method(config)
    trainer = build_trainer(config)
    watch = Alternating(bare, Screen())
    trainer.callbacks.insert(0, watch)
    with redirect_stdout(watch.screen):
        trainer.fit(ours, data)
    assert len(watch.epochs) == EPOCHS
    # It is the same training; sums in another order may differ in the last digits.
    assert torch.allclose(weights(ours), weights(bare.method), rtol=0, atol=1e-6)
    return watch.epochs[1:]


def bare_step_seconds(composed: Callable[..., DictConfig]) -> float:
    """A bare step of the real network, 64 px, width 64, batch 32 in bf16: mean over the phases."""
    method = new_method(composed("model=glcic", "data=photos", "budget=full"))
    bare = BareGLCIC(method.generator, method.discriminator, method.critic.local_size, bf16=True)
    image, mask = torch.rand(32, 3, 64, 64), torch.zeros(32, 1, 64, 64)
    image = image.contiguous(memory_format=torch.channels_last)
    mask[:, :, 20:44, 20:44] = 1
    bare.step(2, image[:2], mask[:2])  # warm
    seconds = [
        process_seconds(lambda phase=phase: bare.step(phase, image, mask)) for phase in range(3)
    ]
    return sum(share * one for share, one in zip(method.phases.shares, seconds, strict=True))


def test_lightning_with_all_our_callbacks_costs_little_more_than_a_bare_loop(
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    report: Callable[..., None],
):
    config = composed(*TINY)
    config.paths.run = str(tmp_path)
    epochs = alternate(config)
    real = bare_step_seconds(composed)
    tiny, redraw = (
        1e3 * Spread.of(column).median for column in list(zip(*epochs, strict=True))[1:]
    )
    report(
        f"training loop, added to a bare step (40 px, width 4, batch 8: {tiny:.1f} ms)",
        Spread.of([1e3 * (epoch.ours - epoch.bare) for epoch in epochs]),
        at_most=0.6,
        unit=" ms",
    )
    # Steps as long as these are drawn one by one.
    added = [epoch.ours - epoch.bare + epoch.redraw for epoch in epochs]
    report(
        f"training loop, share of the bare loop's speed, derived: the above and a redraw "
        f"({redraw:.1f} ms) on a bare GLCIC step of {real:.2f} s (64 px, width 64, batch 32, bf16)",
        Spread.of([real / (real + seconds) for seconds in added]),
        at_least=0.99,
        unit="",
        digits=4,
    )


@pytest.mark.parametrize(
    ("typed", "what", "goal"),
    [
        (CONV_AE, "ConvAE's training at 28 px and batch 128", 0.95),
        (TOKEN_BERT, "TokenBERT's training, 16 tokens, width 128, batch 32", 0.97),
    ],
)
def test_lightning_around_small_steps(
    typed: list[str],
    what: str,
    goal: float,
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    report: Callable[..., None],
):
    own = {text.split("=")[0] for text in typed} | {"model.width"}
    config = composed(*[text for text in TINY if text.split("=")[0] not in own], *typed)
    config.paths.run, config.paths.cache = str(tmp_path / "run"), str(tmp_path / "cache")
    epochs = alternate(config)
    bare, redraw = (Spread.of(column).median for column in list(zip(*epochs, strict=True))[1:])
    # Two redraws a second, as conf/callbacks/default.yaml has it.
    shares = [epoch.bare / (epoch.ours * (1 + 2 * redraw)) for epoch in epochs]
    report(
        f"{what}, share of the bare loop's speed (a bare step of {1e3 * bare:.1f} ms)",
        Spread.of(shares),
        at_least=goal,
        unit="",
        digits=3,
    )
