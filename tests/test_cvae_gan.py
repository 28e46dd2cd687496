"""CVAEGAN: the report's networks to the parameter, losses by hand, stages, a live discriminator."""

import json
import logging
import shutil
from functools import partial
from math import exp, log
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import small, typed_in
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.images.membrane import membrane
from inpainting.losses import (
    cross_entropy,
    discriminator_loss,
    fooling_loss,
    gradient_penalty,
    prior_divergence,
)
from inpainting.methods.adversary import Adversary, DeathWatch
from inpainting.methods.attributes import Attributes
from inpainting.methods.cvae_gan import CVAEGAN
from inpainting.nn.cvae_gan import ConditionalVAE, FaceDiscriminator
from inpainting.nn.diff_augment import DiffAugment
from inpainting.schedules import FINE_TUNING, PRETRAINING, WARM_UP, Exponential, Stages

FACES = ["data=faces", "data.image_size=32", "data.counts=[48,8,12]"]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def adversary(**changes) -> Adversary:
    torch.manual_seed(0)
    settings = {
        "network": FaceDiscriminator(3, 32, width=4, norm="instance"),
        "loss": "logistic",
        "weight": 10.0,
        "feature_weight": 0.0,
        "penalty_weight": 0.0,
        "separate_steps": False,
        "augment": [],
    }
    return Adversary(**{**settings, **changes})


def method(kind: type[CVAEGAN] = CVAEGAN, **changes) -> CVAEGAN:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=1e-3)
    settings = {
        "channels": 3,
        "fixed_size": 32,
        "attributes": ["smiling"],
        "network": ConditionalVAE(3, 32, width=4, latent=8, attributes=["smiling"]),
        "adversary": adversary(),
        "stages": Stages(0.5, 0.25, None),
        "reconstruction_weight": 2.0,
        "prior_weight": 0.5,
        "hole_weight": 0.0,
        "temperature": 1.0,
        "seamless": False,
        "ema_decay": 0.0,
        "discriminator_input": "composite",
        "optimizer": adam,
        "optimizer_discriminator": adam,
        "optimizer_fine_tuning": adam,
    }
    return kind(**{**settings, **changes}).eval()


def test_the_networks_have_the_reports_parameters() -> None:
    told = {"attributes": ["Smiling"]}
    assert count(ConditionalVAE(**told)) == 13_914_723
    assert count(ConditionalVAE(**told, attention=True)) == 14_905_443
    assert count(FaceDiscriminator()) == 2_766_657
    assert count(FaceDiscriminator(norm="instance", spectral=True)) == 2_766_657
    plain = ConditionalVAE()
    assert count(plain.encoder) + count(plain.mean) + count(plain.logvar) == 4_833_792
    assert count(plain) == 13_914_723 - 32 - 16 * 16_384  # neither embedding nor its inputs


@pytest.mark.parametrize("size", [28, 32, 48, 64, 96, 128])
@pytest.mark.parametrize("attributes", [(), ("a",), ("a", "b", "c")])
@pytest.mark.parametrize("attention", [False, True])
def test_networks_take_other_sizes_and_any_number_of_attributes(
    size: int, attributes: tuple, attention: bool
) -> None:
    network = ConditionalVAE(1, size, 8, 16, attributes, 4, attention)
    image = torch.rand(2, 1, size, size)
    mean, logvar = network.encode(image)
    assert mean.shape == logvar.shape == (2, 16)
    assert network.decode(mean, torch.rand(2, len(attributes))).shape == image.shape
    assert FaceDiscriminator(1, size, width=4)(image).shape == (2,)


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(InputError, match="data.image_size=50"):
        ConditionalVAE(image_size=50)
    with pytest.raises(InputError, match=r"model\.network\.deviation=half"):
        ConditionalVAE(deviation="half")
    with pytest.raises(InputError, match=r"model\.adversary\.network\.norm=layer"):
        FaceDiscriminator(norm="layer")
    with pytest.raises(InputError, match=r"model\.adversary\.loss=wgan"):
        adversary(loss="wgan")
    with pytest.raises(InputError, match=r"model\.adversary\.penalty_weight=1"):
        adversary(penalty_weight=1, separate_steps=True)
    with pytest.raises(InputError, match=r"model\.adversary\.weight=-1"):
        adversary(weight=-1)
    with pytest.raises(InputError, match="colour, translation, cutout"):
        DiffAugment(["color"])
    with pytest.raises(InputError, match=r"model\.temperature=-1"):
        method(temperature=-1)
    with pytest.raises(InputError, match=r"model\.discriminator_input=pasted"):
        method(discriminator_input="pasted")


def test_the_attributes_enter_the_decoder_alone_and_blend() -> None:
    network = ConditionalVAE(3, 32, 8, 16, ["a", "b"]).eval()
    z = torch.randn(1, 16)

    def decode(*values: float) -> Tensor:
        return network.decode(z, torch.tensor([values]))

    assert not torch.allclose(decode(0, 0), decode(1, 0))
    assert not torch.allclose(decode(0, 1), decode(1, 0))
    # The decoder's first layer is linear, and at one half it gets the mean of both vectors.
    first = network.decoder[0]
    halfway = [
        first(torch.cat([z, vector[None]], 1))
        for vector in (
            torch.cat([network.embedding[0].mean(0), network.embedding[1, 0]]),
            torch.cat([network.embedding[0, 0], network.embedding[1, 0]]),
            torch.cat([network.embedding[0, 1], network.embedding[1, 0]]),
        )
    ]
    torch.testing.assert_close(halfway[0], (halfway[1] + halfway[2]) / 2)


def test_the_losses_have_the_values_computed_by_hand() -> None:
    # one pixel of level 0.25 with logit ln 3, whose sigmoid is 0.75; one of level 1 with logit 0
    logits = torch.tensor([log(3), 0.0]).view(1, 1, 1, 2)
    image = torch.tensor([0.25, 1.0]).view(1, 1, 1, 2)
    first = -(0.25 * log(0.75) + 0.75 * log(0.25))
    assert cross_entropy(logits, image).item() == pytest.approx(first + log(2))
    weight = torch.tensor([3.0, 0.0]).view(1, 1, 1, 2)
    assert cross_entropy(logits, image, weight).item() == pytest.approx(3 * first)
    # mean 2 and variance e: 4 + e - 1 - 1; mean 0 and variance 1: 0
    mean, logvar = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    assert prior_divergence(mean, logvar).item() == pytest.approx(2 + exp(1))
    normal = torch.distributions.Normal(mean, (logvar / 2).exp())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    assert 0.5 * prior_divergence(mean, logvar).item() == pytest.approx(divergence.sum().item())
    scores = torch.tensor([2.0, -0.5])
    assert discriminator_loss("hinge", scores, True).item() == pytest.approx((0 + 1.5) / 2)
    assert discriminator_loss("hinge", scores, False).item() == pytest.approx((3 + 0.5) / 2)
    assert fooling_loss("hinge", scores).item() == pytest.approx(-0.75)
    assert fooling_loss("logistic", torch.zeros(3)).item() == pytest.approx(log(2))
    x = torch.tensor([1.0, 2.0]).view(1, 1, 1, 2).requires_grad_()
    # the gradient of x² is 2x: 4 + 16
    assert gradient_penalty(x.square().sum((1, 2, 3)), x).item() == pytest.approx(20)


def test_the_deviation_is_the_one_of_the_divergence_unless_as_coded() -> None:
    mean, logvar = torch.zeros(1, 2), torch.full((1, 2), log(9))
    noise = torch.ones(1, 2)
    small_ = {"image_size": 32, "width": 4, "latent": 2}
    assert ConditionalVAE(**small_).sample(mean, logvar, noise).tolist() == [[3.0, 3.0]]
    coded = ConditionalVAE(**small_, deviation="as_coded")
    assert coded.sample(mean, logvar, noise).tolist() == [[4.5, 4.5]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_the_losses_are_finite_in_half_precision(dtype: torch.dtype, loss: str) -> None:
    huge = torch.tensor([-300.0, 0.0, 300.0], dtype=dtype)
    image = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1)
    values = [
        cross_entropy(huge.view(3, 1, 1, 1), image),
        prior_divergence(huge[:, None], torch.full((3, 1), 20.0, dtype=dtype)),
        fooling_loss(loss, huge),
        *(discriminator_loss(loss, huge, real) for real in (True, False)),
    ]
    assert all(value.isfinite().all() and value.dtype == torch.float32 for value in values)


def test_the_batch_size_does_not_change_the_meaning_of_the_losses() -> None:
    model, batch = method(), {"image": torch.rand(2, 3, 32, 32), "mask": torch.zeros(2, 1, 32, 32)}
    twice = {name: value.repeat(2, 1, 1, 1) for name, value in batch.items()}
    logits = torch.randn(2, 3, 32, 32)
    once = model.reconstruction(logits, batch).mean()
    torch.testing.assert_close(model.reconstruction(logits.repeat(2, 1, 1, 1), twice).mean(), once)
    fake = torch.rand(2, 3, 32, 32)
    loss, _ = model.adversary.criticism(batch["image"], fake)
    again, _ = model.adversary.criticism(twice["image"], fake.repeat(2, 1, 1, 1))
    torch.testing.assert_close(loss, again)


def test_stages_follow_each_other_and_keep_their_lengths() -> None:
    stages = Stages(0.5, 0.25, None)  # of 4 epochs of 8 batches: 16, 2 and 14
    assert [stages.at(batch, 8, 4) for batch in range(32)] == [
        stages.begin(batch, 8, 4) for batch in range(32)
    ]
    found = [stages.at(batch, 8, 4) for batch in range(32)]
    assert found == [PRETRAINING] * 16 + [WARM_UP] * 2 + [FINE_TUNING] * 14
    assert stages.at(17, 8, 8) == WARM_UP  # a longer training does not go back
    assert Stages(1, 0.5, None).at(31, 8, 4) == PRETRAINING
    assert Stages(0, 0, None).at(0, 8, 4) == FINE_TUNING
    fresh = Stages(0.5, 0.25, None)
    assert [fresh.progress(batch, 8, 4) for batch in (0, 8, 16, 24)] == [0, 0.5, 0, 0.5]


def test_pretraining_ends_once_its_loss_no_longer_falls() -> None:
    stages = Stages(0.5, 0.25, 2)
    assert [stages.note(loss, 8 * i) for i, loss in enumerate((5, 4, 4.5, 4.1), 1)] == [
        False,
        False,
        False,
        True,
    ]
    resumed = Stages(0.5, 0.25, 2)
    resumed.load_state_dict(json.loads(json.dumps(stages.state_dict())))
    for one in (stages, resumed):
        assert one.starts(8, 10) == (32, 34, 80)
        assert one.at(32, 8, 10) == WARM_UP
    alone = Stages(1, 0.5, 2)  # a resume after an early end must not go on to fine-tuning
    alone.load_state_dict(stages.state_dict())
    assert alone.at(40, 8, 10) == PRETRAINING
    with pytest.raises(InputError, match=r"model\.stages\.pretrain=2"):
        Stages(2, 0, None)
    with pytest.raises(InputError, match=r"model\.stages\.warmup=-1"):
        Stages(0, -1, None)
    with pytest.raises(InputError, match=r"model\.stages\.patience=0"):
        Stages(0, 0, 0)


def test_a_rate_that_falls_exponentially_ends_where_it_says() -> None:
    assert [Exponential(0.01)(share) for share in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])
    # 0.95 an epoch for 100 epochs, as in the report's code
    assert Exponential(0.95**100)(0.37) == pytest.approx(0.95**37)
    with pytest.raises(InputError, match=r"model\.lr_schedule\.end=0"):
        Exponential(0)


def test_real_and_fake_images_are_augmented_alike_and_pass_gradients_on() -> None:
    augment = DiffAugment(["colour", "translation", "cutout"])
    image = torch.rand(16, 3, 32, 32, requires_grad=True)
    torch.manual_seed(0)
    first, second = augment(image, image.detach()).chunk(2)
    torch.testing.assert_close(first, second)
    assert len({tuple(x.flatten()[:50].tolist()) for x in first}) > 8  # each image its own
    first.sum().backward()
    assert (image.grad != 0).flatten(1).any(1).all()
    assert torch.equal(DiffAugment([])(image), image)
    cut = DiffAugment(["cutout"])(torch.ones(64, 1, 32, 32))
    shares = (cut == 0).float().mean((1, 2, 3))
    assert shares.max() <= 0.27 and shares.min() > 0.05  # half a side, or cut off at the border
    moved = DiffAugment(["translation"])(torch.ones(64, 1, 32, 32))
    assert (moved == 0).float().mean((1, 2, 3)).max() <= 1 - (28 / 32) ** 2 + 1e-6


class MeanJudge(nn.Module):
    """A discriminator whose logit is four times the mean of the image."""

    norm = "instance"

    def maps(self, images: Tensor) -> list[Tensor]:
        return [images]

    def judge(self, maps: list[Tensor]) -> Tensor:
        return 4 * maps[0].mean((1, 2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(self.maps(images))


@pytest.mark.parametrize(
    ("loss", "judging", "fooling"),
    [
        # Logits of 4 (real) and 1 (fake): softplus(-4) + softplus(1), and 10 softplus(-1)
        ("logistic", log(1 + exp(-4)) + log(1 + exp(1)), 10 * log(1 + exp(-1))),
        ("hinge", 0 + (1 + 1), 10 * -1),  # max(0, 1 - 4) + max(0, 1 + 1), and minus the logit
    ],
)
def test_who_minimises_what(loss: str, judging: float, fooling: float) -> None:
    judge = adversary(network=MeanJudge(), loss=loss)
    real, fake = torch.ones(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.25, requires_grad=True)
    ((objective, scalars),) = judge.objectives(real, fake.detach(), 1)
    assert objective.item() == pytest.approx(judging)
    assert scalars["margin"].item() == pytest.approx(3)
    criticism, _ = judge.criticism(real, fake)
    assert criticism.item() == pytest.approx(fooling)
    criticism.backward()
    assert (fake.grad < 0).all()  # a larger logit, which looks more real, is what it wants

    separate = adversary(network=MeanJudge(), loss=loss, separate_steps=True)
    parts = [objective.item() for objective, _ in separate.objectives(real, fake.detach(), 1)]
    assert sum(parts) == pytest.approx(judging)


class Recorded(CVAEGAN):
    """Notes what it would have optimised, in a training of four epochs of four batches."""

    batches_seen = 12

    def begin(self) -> "Recorded":
        self.taken: list[tuple[str, float]] = []
        self.logged: dict[str, Tensor] = {}
        self.scalars = SimpleNamespace(add=lambda **values: self.logged.update(values))
        return self

    @property
    def _position(self) -> tuple[int, int, int]:
        return self.batches_seen, 4, 4

    def optimizers(self) -> tuple[str, str, str]:
        return "autoencoder", "discriminator", "fine-tuning"

    def optimise(self, optimizer: str, loss: Tensor) -> None:
        self.taken.append((optimizer, loss.item()))

    def _noting(self, name: str, logits: Tensor) -> Tensor:
        return logits

    def update_average(self) -> None:
        """The average is not looked at."""


def test_a_step_of_each_stage_minimises_what_the_report_weighs() -> None:
    batch = {
        "image": torch.rand(2, 3, 32, 32),
        "mask": torch.zeros(2, 1, 32, 32),
        "attributes": torch.ones(2, 1),
    }
    batch["mask"][..., 8:16, 8:16] = 1
    trained = method(kind=Recorded).begin()
    trained.training_step(batch, 0)
    reconstruction, prior, fooling = (
        trained.logged[name].item() for name in ("reconstruction", "prior", "fooling")
    )
    assert [name for name, _ in trained.taken] == ["discriminator", "fine-tuning"]
    expected = 2 * reconstruction + 0.5 * prior + 10 * fooling
    assert trained.taken[1][1] == pytest.approx(expected, rel=1e-5)

    trained.begin().batches_seen = 0
    trained.training_step(batch, 0)
    reconstruction, prior = (trained.logged[name].item() for name in ("reconstruction", "prior"))
    expected = [("autoencoder", pytest.approx(reconstruction + 0.5 * prior, rel=1e-5))]
    assert trained.taken == expected


def test_the_holes_pixels_weigh_more_where_asked_for() -> None:
    batch = {"image": torch.rand(1, 3, 32, 32), "mask": torch.zeros(1, 1, 32, 32)}
    batch["mask"][..., :8, :8] = 1
    # Of a logit of 0 every value costs ln 2, whatever the image: 3072 values, 192 of them counted
    # twice more.
    plain, heavy = (
        method(hole_weight=weight).reconstruction(torch.zeros(1, 3, 32, 32), batch).item()
        for weight in (0.0, 2.0)
    )
    assert plain == pytest.approx(3072 * log(2), rel=1e-5)
    assert heavy == pytest.approx((3072 + 2 * 192) * log(2), rel=1e-5)


def test_the_discriminator_sees_the_prediction_or_the_completed_face() -> None:
    image, prediction = torch.rand(2, 1, 3, 32, 32)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :8, :8] = 1
    batch = {"image": image, "mask": mask}
    raw = method(discriminator_input="raw").fake(prediction, image, batch)
    assert torch.equal(raw, prediction)
    composed = method(discriminator_input="composite").fake(prediction, image, batch)
    assert torch.equal(composed, torch.where(mask > 0, prediction, image))


def test_the_gradient_penalty_comes_at_every_sixteenth_step() -> None:
    real, fake = torch.rand(2, 4, 3, 32, 32)
    punished = adversary(penalty_weight=1.0)
    kept = [
        "penalty" in scalars
        for step in range(33)
        for _, scalars in punished.objectives(real, fake, step)
    ]
    assert [step for step, present in enumerate(kept) if present] == [0, 16, 32]


def test_features_draw_the_fake_towards_the_image() -> None:
    matching = adversary(weight=0.0, feature_weight=1.0)
    real, fake = torch.rand(2, 2, 3, 32, 32)
    assert matching.criticism(real, real)[0].item() == pytest.approx(0, abs=1e-6)
    assert matching.criticism(real, fake)[0] > 0.001


def test_a_dead_discriminator_is_said_once_an_epoch(caplog: pytest.LogCaptureFixture) -> None:
    watch, alive = DeathWatch(), {"gradient_discriminator": 1.0, "gradient_reconstruction": 10.0}
    dead = {**alive, "gradient_discriminator": 0.001, "margin": 90.0}
    with caplog.at_level(logging.WARNING):
        for batch in range(0, 100, 10):
            watch.note(alive, batch, epoch=100)
        for batch in range(100, 200, 10):
            watch.note(dead, batch, epoch=100)
        assert not caplog.records  # dead for less than an epoch
        for batch in range(200, 300, 10):
            watch.note(dead, batch, epoch=100)
    assert len(caplog.records) == 1
    assert "the discriminator is dead" in caplog.text and "margin 90" in caplog.text


def exact_membrane(values: Tensor, hole: Tensor) -> Tensor:
    """Solve the equation of every hole pixel of (H, W) values at once; borders repeat."""
    height, width = values.shape
    pixels = [tuple(pixel) for pixel in hole.nonzero().tolist()]
    number = {pixel: i for i, pixel in enumerate(pixels)}
    matrix, right = (
        torch.zeros(len(pixels), len(pixels)).double(),
        torch.zeros(len(pixels)).double(),
    )
    for (y, x), i in number.items():
        matrix[i, i] += 4
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            other = min(max(other[0], 0), height - 1), min(max(other[1], 0), width - 1)
            if other in number:
                matrix[i, number[other]] -= 1
            else:
                right[i] += values[other]
    solved = values.clone()
    solved[hole] = torch.linalg.solve(matrix, right).float()
    return solved


@pytest.mark.parametrize("corner", [(14, 16), (29, 30)])  # inside, and at two borders
def test_a_membrane_is_the_solution_of_its_equation(corner: tuple[int, int]) -> None:
    values = torch.rand(1, 1, 37, 41, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 37, 41)
    mask[..., corner[0] : corner[0] + 8, corner[1] : corner[1] + 11] = 1
    surface = membrane(torch.where(mask > 0, torch.nan, values), mask)
    hole = mask[0, 0] > 0
    assert torch.equal(surface[0, 0][~hole], values[0, 0][~hole])
    assert (surface[0, 0] - exact_membrane(values[0, 0], hole)).abs().mean() < 0.01
    assert membrane(values, torch.ones_like(mask)).abs().max() == 0
    constant = membrane(torch.full((1, 1, 8, 8), 0.3), values[..., :8, :8].round())
    torch.testing.assert_close(constant, torch.full((1, 1, 8, 8), 0.3))


def test_a_seamless_prediction_meets_the_known_pixels() -> None:
    image = torch.full((1, 3, 32, 32), 0.8)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 10:20, 10:20] = 1
    prediction = torch.full((1, 3, 32, 32), 0.2)
    joined = method(seamless=True).joined(prediction, image * (1 - mask), mask)
    torch.testing.assert_close(joined[..., 10:20, 10:20], image[..., 10:20, 10:20])
    assert torch.equal(joined[..., :10, :], prediction[..., :10, :])
    assert torch.equal(method().joined(prediction, image, mask), prediction)


def test_temperature_0_completes_with_the_mean() -> None:
    image, mask = torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[..., 8:20, 8:20] = 1
    samples = method().complete(image, mask, num_completions=3)
    assert samples.std(1).max() > 0
    means = method(temperature=0.0).complete(image, mask, num_completions=3)
    assert means.std(1).max() == 0


def test_what_is_asked_for_replaces_the_images_own_attributes() -> None:
    model = method()
    batch = {"image": torch.rand(3, 3, 32, 32), "attributes": torch.tensor([[0.0], [1.0], [1.0]])}
    assert model.attributes.wanted(batch).flatten().tolist() == [0, 1, 1]
    model.attributes.ask({"Smiling": 0.5})
    assert model.attributes.wanted(batch).flatten().tolist() == [0.5, 0.5, 0.5]
    assert model.attributes.wanted({"image": batch["image"]}).flatten().tolist() == [0.5] * 3
    with pytest.raises(InputError, match="attributes.bald=1: this model is told smiling"):
        model.attributes.ask({"bald": 1})
    with pytest.raises(InputError, match=r"attributes.smiling=2: type a number from 0 to 1"):
        model.attributes.ask({"smiling": 2})
    plain = method(attributes=[], network=ConditionalVAE(3, 32, 4, 8))
    with pytest.raises(InputError, match="trained without attributes"):
        plain.attributes.ask({"smiling": 1})


def test_an_edit_changes_the_whole_image_or_its_centre_square() -> None:
    model = method(temperature=0.0)
    image = torch.rand(1, 3, 32, 32)
    on, off = (model.edit(image, torch.tensor([[value]])) for value in (1.0, 0.0))
    assert not torch.allclose(on, off) and not torch.allclose(on, image, atol=0.01)
    wide = torch.rand(1, 3, 40, 60)
    edited = model.edit(wide, torch.tensor([[1.0]]))
    assert torch.equal(edited[..., :10], wide[..., :10])
    assert torch.equal(edited[..., 50:], wide[..., 50:])
    assert not torch.allclose(edited[..., 10:50], wide[..., 10:50], atol=0.01)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small model on a few drawn faces, through all stages."""
    folder = tmp_path_factory.mktemp("cvae_gan")
    with typed_in(folder) as command:
        settings = [text for text in small("cvae_gan") if not text.startswith("data")]
        batches = ["data.batch_size=8", "data.eval_batch_size=8"]
        command("train", *settings, *FACES, *batches, "hydra.run.dir=run")
    return folder / "run"


def test_one_command_goes_through_all_stages(trained: Path) -> None:
    lines = (trained / "metrics.csv").read_text()
    for name in ("reconstruction", "prior", "loss_d", "margin", "fooling"):
        assert f"train/{name}" in lines.splitlines()[0]
    for name in ("gradient_discriminator", "gradient_reconstruction"):
        assert f"train/{name}" in lines.splitlines()[0]
    assert json.loads((trained / "metrics.json").read_text())["monitor"] == "last"
    assert (trained / "images" / "test.png").is_file()


def test_what_is_asked_for_can_be_emphasised() -> None:
    attributes = Attributes(["smiling", "eyeglasses"], emphasis=2.0)
    batch = {"image": torch.zeros(1, 3, 4, 4), "attributes": torch.tensor([[1.0, 0.0]])}
    assert attributes.wanted(batch).tolist() == [[1.0, 0.0]]  # the image's own stay as they are
    # an image of which nothing is known is completed as if 0 was typed
    assert attributes.wanted({"image": batch["image"]}).tolist() == [[-0.5, -0.5]]
    ways = attributes.each_way(batch["attributes"])
    assert [way.tolist() for way in ways] == [
        [[-0.5, 0.0]],
        [[1.5, 0.0]],
        [[1.0, -0.5]],
        [[1.0, 1.5]],
    ]
    attributes.ask({"eyeglasses": 1, "smiling": 0.5})
    assert attributes.wanted(batch).tolist() == [[0.5, 1.5]]
    with pytest.raises(InputError, match=r"model\.emphasis=0"):
        Attributes(["smiling"], emphasis=0.5)


def test_the_faces_are_completed_as_asked(trained: Path, command, tmp_path: Path) -> None:
    for value in (0, 1):
        command(
            "evaluate", f"run={trained}", f"attributes.smiling={value}", f"hydra.run.dir=a{value}"
        )
    numbers = [json.loads((tmp_path / f"a{value}/metrics.json").read_text()) for value in (0, 1)]
    assert [one["asked"] for one in numbers] == [{"smiling": 0.0}, {"smiling": 1.0}]
    assert numbers[0]["mask_hash"] == numbers[1]["mask_hash"]
    assert numbers[0]["psnr_hole"] != numbers[1]["psnr_hole"]


def test_files_are_filled_and_edited_as_asked(trained: Path, command, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = (torch.rand(40, 52, 3, generator=generator) * 255).byte().numpy()
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(tmp_path / "in/a.png")
    hole = torch.zeros(40, 52, dtype=torch.uint8)
    hole[10:20, 20:30] = 255
    Image.fromarray(hole.numpy()).save(tmp_path / "mask.png")
    command(
        "predict", f"run={trained}", "input=in", "masks=mask.png", "out=out", "attributes.smiling=1"
    )
    filled = torch.from_numpy(np.array(Image.open(tmp_path / "out/a.png")))
    outside = hole == 0
    assert torch.equal(filled[outside], torch.from_numpy(noise)[outside])
    command(
        "predict", f"run={trained}", "input=in", "edit=true", "out=edit", "attributes.smiling=1"
    )
    edited = torch.from_numpy(np.array(Image.open(tmp_path / "edit/a.png")))
    assert torch.equal(edited[:, :6], torch.from_numpy(noise)[:, :6])
    assert not torch.equal(edited[:, 6:46], torch.from_numpy(noise)[:, 6:46])


def test_the_weights_before_fine_tuning_are_kept(trained: Path, command, tmp_path: Path) -> None:
    command("evaluate", f"run={trained}", "checkpoint=pretraining", "hydra.run.dir=before")
    command("evaluate", f"run={trained}", "hydra.run.dir=after")
    before, after = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("before", "after")
    )
    assert before["psnr_hole"] != after["psnr_hole"]
    state = torch.load(trained / "checkpoints/pretraining.ckpt", weights_only=True)
    assert "optimizer_states" not in state
    assert state["stages"]["ended"] is None


def test_fine_tuning_starts_from_another_run(trained: Path, command, tmp_path: Path) -> None:
    settings = [text for text in small("cvae_gan") if not text.startswith("data")]
    settings = [text for text in settings if "stages" not in text]
    typed = ["data.batch_size=8", "model.stages.pretrain=0", "model.stages.warmup=1"]
    start = f"init_from={trained}/checkpoints/pretraining.ckpt"
    command("train", *settings, *FACES, *typed, start, "trainer.max_epochs=1", "hydra.run.dir=next")
    first = torch.load(trained / "checkpoints/pretraining.ckpt", weights_only=True)["state_dict"]
    then = torch.load(tmp_path / "next/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    # all of the one epoch is warm-up: the autoencoder rests and the discriminator learns
    weight = "network.decoder.0.weight"
    assert torch.equal(first[weight], then[weight])
    assert any(
        not torch.equal(value, then[name])
        for name, value in first.items()
        if name.startswith("adversary")
    )


def test_a_discriminator_of_another_kind_starts_anew(
    trained: Path, command, tmp_path: Path
) -> None:
    settings = [text for text in small("cvae_gan") if not text.startswith("data")]
    settings = [text for text in settings if "stages" not in text]
    typed = [*settings, *FACES, "data.batch_size=8", "model.stages.pretrain=0"]
    typed += ["trainer.max_epochs=1", "model.adversary.network.norm=batch"]
    start = f"init_from={trained}/checkpoints/pretraining.ckpt"
    command("train", *typed, start, "hydra.run.dir=other")
    assert "holds another adversary; a new one starts" in (tmp_path / "other/train.log").read_text()
    state = torch.load(tmp_path / "other/checkpoints/last.ckpt", weights_only=False)["state_dict"]
    assert state["adversary.network.blocks.0.1.running_mean"].abs().max() > 0


def test_opponents_are_asked_and_checked_as_the_method_itself(
    trained: Path, command, failure, tmp_path: Path
) -> None:
    error = failure("evaluate", f"run={trained}", "edit=true", "against=[telea]")
    assert error.startswith("error: against=telea: with edit=true")
    error = failure("evaluate", "model=telea", "data=photos", "edit=true")
    assert error.startswith("error: telea: with edit=true")
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    command(
        "evaluate", f"run={trained}", f"against=[{other}]", "attributes.smiling=1", "edit=true",
        "hydra.run.dir=both",
    )  # fmt: skip
    both = [
        json.loads((tmp_path / name / "metrics.json").read_text())
        for name in ("both", "both/against/other")
    ]
    assert both[0]["asked"] == both[1]["asked"] == {"smiling": 1.0}
    assert both[0]["psnr"] == both[1]["psnr"] and both[1]["edit"]
    config = OmegaConf.load(other / "config.yaml")
    config.model.attributes = config.model.network.attributes = ["eyeglasses"]
    OmegaConf.save(config, other / "config.yaml")
    error = failure("evaluate", f"run={trained}", f"against=[{other}]")
    assert "told the attributes [eyeglasses], but data.attributes is [smiling]" in error


def test_a_resume_after_pretraining_alone_had_ended_trains_no_further(
    command, tmp_path: Path
) -> None:
    settings = [text for text in small("cvae_gan") if "stages" not in text and "data" not in text]
    typed = ["data.batch_size=8", "model.stages.pretrain=1", "model.stages.patience=1"]
    typed += ["model.optimizer.lr=0", "model.ema_decay=0"]  # so that the loss does not fall
    command("train", *settings, *FACES, *typed, "trainer.max_epochs=9", "hydra.run.dir=run")
    last = tmp_path / "run/checkpoints/last.ckpt"
    steps = torch.load(last, weights_only=False)["global_step"]
    assert 0 < steps < 9 * 6
    command("train", "resume=run")
    assert torch.load(last, weights_only=False)["global_step"] == steps
