"""GLCIC's three phases: which parameters move, which losses exist, whose gradients stay."""

from functools import partial

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader, Dataset

from inpainting.errors import InputError
from inpainting.methods.glcic import COMPLETION, DISCRIMINATOR, GLCIC, JOINT

SIZE = 32


class Squares(Dataset):
    """Eight random images with a hole in the middle."""

    def __init__(self, count: int = 8):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(count, 3, SIZE, SIZE, generator=generator)
        self.mask = torch.zeros(1, SIZE, SIZE)
        self.mask[:, 10:22, 10:22] = 1

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        return {"image": self.images[i], "mask": self.mask, "index": torch.tensor(i)}


def glcic(**changes) -> GLCIC:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=1e-3)
    settings = {
        "channels": 3,
        "image_size": SIZE,
        "width": 4,
        "mask_channel": True,
        "dilations": (2, 4),
        "bottleneck_convs": 1,
        "skips": False,
        "residual": False,
        "ema_decay": 0.0,
        "head": "flatten",
        "local_share": 28 / 64,
        "phases": (0.33, 0.33, 0.34),
        "phase_schedule": "epoch",
        "mse_region": "image",
        "mse_weight": 1.0,
        "adversarial_weight": 1.0,
        "discriminator_input": "composite",
        "phase_stop": (None, None, None),
        "optimizer_completion": adam,
        "optimizer_discriminator": adam,
        "optimizer_joint": adam,
    }
    return GLCIC(**{**settings, **changes})


class Recorder(GLCIC):
    """Notes the phase and the losses of every batch, and how the two networks' weights move."""

    def on_train_start(self) -> None:
        self.seen: list[dict] = []

    def on_train_batch_start(self, batch, batch_idx) -> None:
        self.scalars._sums, self.scalars._counts = {}, {}
        self.before = {name: p.detach().clone() for name, p in self.named_parameters()}

    def on_train_batch_end(self, outputs, batch, batch_idx) -> None:
        moved = {
            name.split(".")[0]
            for name, p in self.named_parameters()
            if not torch.equal(p, self.before[name])
        }
        still = {
            name
            for name, p in self.named_parameters()
            if torch.equal(p, self.before[name]) and name.split(".")[0] in moved
        }
        self.seen.append(
            {
                "phase": self.phase,
                "losses": set(self.scalars._sums),
                "moved": moved,
                "still": still,
            }
        )


def fit(method: GLCIC, epochs: int = 1, batch_size: int = 1) -> GLCIC:
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(method, DataLoader(Squares(), batch_size, shuffle=False))
    return method


def recorder(**changes) -> Recorder:
    method = glcic(**changes)
    method.__class__ = Recorder
    return method


def test_each_phase_moves_its_networks_alone_and_has_its_losses_alone() -> None:
    seen = fit(recorder(phases=(0.25, 0.25, 0.5)), batch_size=2).seen
    assert [step["phase"] for step in seen] == [COMPLETION, DISCRIMINATOR, JOINT, JOINT]
    completion, discrimination, joint, _ = seen
    assert completion["moved"] == {"generator"}
    assert completion["losses"] == {"loss_completion"}
    assert discrimination["moved"] == {"discriminator"}
    assert discrimination["losses"] == {"loss_d"}
    assert joint["moved"] == {"generator", "discriminator"}
    assert joint["losses"] == {"loss_d", "loss_g", "loss_g_mse", "loss_g_adversarial"}
    assert not completion["still"] and not joint["still"]  # every parameter of them, not some


def test_phases_start_again_in_every_epoch_by_their_ratio() -> None:
    phases = [step["phase"] for step in fit(recorder(), epochs=2).seen]
    assert phases == [0, 0, 0, 1, 1, 2, 2, 2] * 2  # 8 batches: ends at 2.64 -> 3, 5.28 -> 5


def test_phases_run_once_over_the_whole_training() -> None:
    method = recorder(phase_schedule="training", phases=(0.5, 0.25, 0.25))
    phases = [step["phase"] for step in fit(method, epochs=2).seen]
    assert phases == [0] * 8 + [1] * 4 + [2] * 4


def test_a_phase_below_its_threshold_leaves_its_batches_to_the_next() -> None:
    method = glcic(phases=(0.5, 0.25, 0.25), phase_stop=(1e9, None, None))
    fit(method, epochs=1)  # read every 50 batches by default: never here, so read by hand
    method.phase = COMPLETION
    method.on_scalars_read({"loss_completion": 0.5})
    assert method.phases.ended == [8, None, None]  # at the end of the epoch: nothing to hand on
    method.phases.ended = [1, None, None]
    assert [method._phase(i) for i in (1, 5, 6, 7)] == [1, 1, 2, 2]
    method.phases.ended = [None, None, 7]
    assert [method._phase(i) for i in (6, 7)] == [JOINT, COMPLETION]
    assert method._phase(0) == COMPLETION and method.phases.ended == [None] * 3  # a new epoch


def test_more_epochs_lengthen_every_phase_of_a_training_long_schedule() -> None:
    method = fit(glcic(phase_schedule="training", phases=(0.25, 0.25, 0.5)), epochs=1)
    method.trainer.fit_loop.max_epochs = 2
    assert method.batches_seen == 7 and method._phase(7) == DISCRIMINATOR  # 7 of 16 batches


def test_the_generators_step_leaves_no_gradient_in_the_discriminator() -> None:
    method = glcic()
    batch = {"image": torch.rand(4, 3, SIZE, SIZE), "mask": Squares().mask.expand(4, -1, -1, -1)}
    gradients = {}

    def step(optimizer, loss):
        method.zero_grad()
        loss.backward()
        gradients.update(
            {
                name: any(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
                for name, net in method.named_children()
            }
        )

    method.optimise = step
    prediction = method(batch["image"], batch["mask"])
    fake = method.fake(prediction, batch)
    method._joint_step(None, batch, prediction, fake)
    assert gradients == {"generator": True, "discriminator": False}
    assert all(p.requires_grad for p in method.discriminator.parameters())
    method._discriminator_step(None, batch, fake.detach(), 0)
    assert gradients == {"generator": False, "discriminator": True}


@pytest.mark.parametrize("discriminator_input", ["composite", "raw"])
def test_the_generator_gets_an_adversarial_gradient(discriminator_input: str) -> None:
    method = glcic(mse_weight=0.0, discriminator_input=discriminator_input)
    batch = {"image": torch.rand(4, 3, SIZE, SIZE), "mask": Squares().mask.expand(4, -1, -1, -1)}
    prediction = method(batch["image"], batch["mask"])
    prediction.retain_grad()
    fake = method.fake(prediction, batch)
    method.optimise = lambda optimizer, loss: loss.backward()
    method._joint_step(None, batch, prediction, fake)
    outside = prediction.grad * (1 - batch["mask"])
    assert prediction.grad.abs().sum() > 0
    # composited, the known pixels that D sees are the image's own
    assert (outside.abs().sum() > 0) == (discriminator_input == "raw")


def test_a_discriminator_that_trains_tells_real_from_fake() -> None:
    method = fit(glcic(phases=(0.0, 1.0, 0.0)), epochs=30, batch_size=8)
    squares = Squares()
    batch = {"image": squares.images, "mask": squares.mask.expand(8, -1, -1, -1)}
    fake = method.fake(method(batch["image"], batch["mask"]), batch)
    real_logits, fake_logits = method.critic.judge(batch["image"], fake, batch["mask"])
    assert (real_logits > 0).all() and (fake_logits < 0).all()


def test_mse_over_the_hole_or_the_image() -> None:
    image, mask = torch.zeros(1, 3, SIZE, SIZE), Squares().mask[None]
    prediction = image + mask * 0.5 + (1 - mask) * 0.1
    batch = {"image": image, "mask": mask}
    share = 144 / SIZE**2
    whole = glcic().reconstruction(prediction, batch)
    hole = glcic(mse_region="hole").reconstruction(prediction, batch)
    assert torch.allclose(whole, torch.tensor([0.25 * share + 0.01 * (1 - share)]))
    assert torch.allclose(hole, torch.tensor([0.25]))


def test_without_the_mask_channel_the_network_takes_the_image_alone() -> None:
    assert next(glcic(mask_channel=False).generator.parameters()).shape[1] == 3
    assert next(glcic().generator.parameters()).shape[1] == 4


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"phases": (0.5, 0.5, 0.5)}, "phases"),
        ({"phase_schedule": "batch"}, "phase_schedule"),
        ({"mse_region": "box"}, "mse_region"),
        ({"discriminator_input": "both"}, "discriminator_input"),
    ],
)
def test_a_wrong_setting_is_named(change: dict, key: str) -> None:
    with pytest.raises(InputError, match=f"model.{key}="):
        glcic(**change)
