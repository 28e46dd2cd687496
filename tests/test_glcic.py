"""GLCIC's three phases: which parameters move, which losses exist, whose gradients stay."""

from functools import partial

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader, Dataset

from inpainting.errors import InputError
from inpainting.methods.context_critic import ContextCritic
from inpainting.methods.glcic import COMPLETION, DISCRIMINATOR, GLCIC, JOINT
from inpainting.nn.glcic import ContextDiscriminator
from inpainting.runs.checkpoints import load_weights

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


class AverageByHand(Recorder):
    """The average of C's weights that a training should come to."""

    def on_train_start(self) -> None:
        super().on_train_start()
        self.expected = [one.detach().clone() for one in self.generator.parameters()]

    def on_train_batch_end(self, outputs, batch, batch_idx) -> None:
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.phase != DISCRIMINATOR:
            decay = min(0.5, (1 + self.batches_seen) / (10 + self.batches_seen))
            for mean, now in zip(self.expected, self.generator.parameters(), strict=True):
                mean.mul_(decay).add_(now.detach(), alpha=1 - decay)


def test_the_average_of_the_completion_network_completes() -> None:
    method = glcic(ema_decay=0.5)
    method.__class__ = AverageByHand
    fit(method, epochs=2)
    for mean, own in zip(method.expected, method.average.parameters(), strict=True):
        torch.testing.assert_close(own, mean)
    squares = Squares(2)
    completed = method.eval().complete(squares.images, squares.mask.expand(2, -1, -1, -1))
    torch.nn.init.zeros_(method.generator.layers[0].weight)
    again = method.complete(squares.images, squares.mask.expand(2, -1, -1, -1))
    assert torch.equal(completed, again)
    assert "average" not in dict(glcic().named_children())  # the report keeps none


def test_a_run_without_an_average_starts_one_with_it(tmp_path) -> None:
    torch.save({"state_dict": glcic().state_dict()}, tmp_path / "plain.ckpt")
    method = glcic(ema_decay=0.99)
    torch.nn.init.ones_(method.generator.layers[0].weight)
    anew = (*method.only_trains, "average")
    load_weights(method, tmp_path / "plain.ckpt", "init_from", anew)
    first = glcic().generator.layers[0].weight
    assert torch.equal(method.generator.layers[0].weight, first)


def test_the_mean_over_image_and_mirror_image() -> None:
    method = glcic(flip_average=True, fill=0.3).eval()
    image = torch.rand(2, 3, SIZE, SIZE)
    mask = torch.zeros(2, 1, SIZE, SIZE)
    mask[..., 4:14, 2:12] = 1
    masked = torch.where(mask > 0, torch.tensor(0.3), image)
    straight, mirrored = method(masked, mask), method(masked.flip(3), mask.flip(3)).flip(3)
    completion = method.complete(image, mask)[:, 0]
    expected = torch.where(mask > 0, (straight + mirrored) / 2, image)
    torch.testing.assert_close(completion, expected)
    opposite = method.complete(image.flip(3), mask.flip(3))[:, 0]
    torch.testing.assert_close(opposite.flip(3), completion)


def critic(**changes) -> ContextCritic:
    torch.manual_seed(0)
    network = ContextDiscriminator(3, SIZE, 14, width=4).eval()
    settings = {"loss": "logistic", "penalty_weight": 0.0, "feature_weight": 0.0, "augment": ()}
    return ContextCritic(network, (14, 14), **{**settings, **changes})


def seen() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    real, fake = torch.rand(2, 4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return real, fake, Squares().mask.expand(4, -1, -1, -1)


def test_a_hinge_loss_of_the_context_discriminator() -> None:
    real_logits, fake_logits = critic().judge(*seen())
    loss, _ = critic(loss="hinge").objective(*seen(), 0)
    expected = ((1 - real_logits).clamp(min=0).mean() + (1 + fake_logits).clamp(min=0).mean()) / 2
    torch.testing.assert_close(loss, expected)
    fooling, distance = critic(loss="hinge").criticism(*seen())
    torch.testing.assert_close(fooling, -fake_logits.mean())
    assert distance == 0


def test_the_penalty_of_the_context_discriminator_counts_at_every_16th_step() -> None:
    plain, _ = critic().objective(*seen(), 16)
    real, fake, mask = seen()
    punished, scalars = critic(penalty_weight=0.5).objective(real, fake, mask, 16)
    nudged = real.clone()
    nudged[0, 1, 12, 12] += 1e-2  # in image 0 alone, inside its local crop too
    both = critic()
    slope = (both.judge(nudged, fake, mask)[0] - both.judge(real, fake, mask)[0])[0] / 1e-2
    real.requires_grad_()
    (slopes,) = torch.autograd.grad(both.judge(real, fake, mask)[0].sum(), real)
    torch.testing.assert_close(slopes[0, 1, 12, 12], slope, rtol=0.05, atol=1e-3)
    expected = slopes.square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(scalars["penalty"], expected)
    torch.testing.assert_close(punished, plain + 0.5 / 2 * 16 * expected)
    assert torch.equal(critic(penalty_weight=0.5).objective(*seen(), 15)[0], plain)


def test_feature_matching_measures_the_discriminators_maps() -> None:
    real, fake, mask = seen()
    assert critic(feature_weight=2.0).criticism(real, real, mask)[1] == 0
    _, once = critic(feature_weight=1.0).criticism(real, fake, mask)
    _, twice = critic(feature_weight=2.0).criticism(real, fake, mask)
    assert once > 0
    torch.testing.assert_close(twice, 2 * once)


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
        ({"ema_decay": 1.0}, "ema_decay"),
    ],
)
def test_a_wrong_setting_is_named(change: dict, key: str) -> None:
    with pytest.raises(InputError, match=f"model.{key}="):
        glcic(**change)
