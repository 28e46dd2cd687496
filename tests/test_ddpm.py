"""DDPM: what it learns, what it samples with, what a filling costs."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import small
from hydra.utils import instantiate
from lightning import Callback, Trainer
from PIL import Image
from torch.nn.functional import avg_pool2d

from inpainting.errors import InputError
from inpainting.methods.ddpm import DDPM
from inpainting.tasks.build import build, build_method, build_trainer


def built(composed, *typed: str) -> DDPM:
    torch.manual_seed(0)
    data = ["data=photos", "data.image_size=16", "data.channels=1"]
    return instantiate(
        composed("model=ddpm", *data, "model.network.base_dim=8", *typed).model, _convert_="all"
    )


def test_the_defaults_are_the_reports_network_on_the_digits_of_scikit_learn(composed) -> None:
    config = composed("model=ddpm", "budget=full")
    assert config.data._target_.endswith("DigitsDataModule")
    method = instantiate(config.model, _convert_="all")
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == 1_794_625


@pytest.mark.parametrize(
    ("typed", "calls", "steps"),
    [
        ([], 25, 25),
        (["model/sampler=repaint"], 2410, 250),
        (["model/sampler=replace"], 250, 250),
        (["model/sampler=replace", "model.sampler.steps=50"], 50, 50),
        (
            [
                "model.sampler.steps=20",
                "model.sampler.jump_length=5",
                "model.sampler.jump_n_sample=3",
            ],
            50,
            20,
        ),
        (["model.candidates=4"], 100, 25),
        (["model/sampler=repaint", "model.sampler.steps=40"], 310, 40),
        (
            ["model/sampler=repaint", "model.sampler.steps=100", "model.betas.timesteps=100"],
            910,
            100,
        ),
    ],
)
def test_a_filling_costs_what_it_says(composed, typed: list[str], calls: int, steps: int) -> None:
    method = built(composed, *typed)
    assert (method.details()["network_calls"], method.sampler.steps) == (calls, steps)


def test_the_network_is_called_as_often_as_the_facts_say(composed) -> None:
    method = built(
        composed, "model.sampler.steps=6", "model.sampler.jump_length=2", "model.candidates=3"
    )
    counted = []
    network = method.folded.at(torch.float32, torch.device("cpu"))
    network.register_forward_hook(lambda *_: counted.append(1))
    mask = torch.zeros(2, 1, 16, 16)
    mask[:, :, 4:9, 4:9] = 1
    method.complete(torch.rand(2, 1, 16, 16), mask, num_completions=2)
    assert len(counted) == method.network_calls


def test_a_completion_is_the_medoid_of_its_candidates(composed) -> None:
    typed = ["model.sampler.steps=3", "model.sampler.jump_length=1"]
    torch.manual_seed(0)
    method = built(composed, *typed, "model.candidates=3").eval()
    image, mask = torch.rand(2, 1, 16, 16), torch.zeros(2, 1, 16, 16)
    mask[:, :, 4:12] = 1
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    found = method.predict(image * (1 - mask), mask, generator=generators)
    method.candidates = 1
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    samples = [method.predict(image * (1 - mask), mask, generator=generators) for _ in range(3)]
    means = [avg_pool2d(one, 3, 1, 1) for one in samples]
    distances = [[(a - b).square().sum((1, 2, 3)) for b in means] for a in means]
    for i in range(2):
        sums = [sum(one[i].item() for one in row) for row in distances]
        assert len(set(sums)) > 1
        assert torch.equal(found[i], samples[sums.index(min(sums))][i])


def test_the_average_samples_and_not_the_present_weights(composed) -> None:
    method = built(composed, "model.sampler.steps=3", "model.sampler.jump_length=1").eval()
    image, mask = torch.rand(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    mask[..., :4] = 0

    def filled() -> torch.Tensor:
        return method.complete(image, mask, generator=torch.Generator().manual_seed(0))

    before = filled()
    torch.nn.init.normal_(method.network.head.weight)
    assert torch.equal(filled(), before)
    state = method.average.state_dict()
    state["network.head.weight"] = torch.randn_like(state["network.head.weight"])
    method.average.load_state_dict(state)
    assert not torch.equal(filled(), before)


class FollowedByHand(Callback):
    """The average that a training should have come to, after each batch that moved the network."""

    def on_train_start(self, trainer: Trainer, method: DDPM) -> None:
        self.expected = [one.detach().clone() for one in method.network.parameters()]
        self.moved = 0

    def on_train_batch_end(self, trainer: Trainer, method: DDPM, *_: Any) -> None:
        if trainer.global_step == self.moved:  # gradients are accumulated
            return
        self.moved, seen = trainer.global_step, method.batches_seen
        decay = min(method.ema_decay, (1 + seen) / (10 + seen))
        for expected, now in zip(self.expected, method.network.parameters(), strict=True):
            expected.mul_(decay).add_(now.detach(), alpha=1 - decay)


@pytest.mark.parametrize(("accumulated", "moves"), [(1, 4), (2, 2)])
def test_training_moves_the_average_as_often_as_the_network(
    composed, tmp_path: Path, accumulated: int, moves: int
) -> None:
    typed = ["logger=none", "trainer.limit_train_batches=4", "trainer.limit_val_batches=1"]
    typed += [f"+trainer.accumulate_grad_batches={accumulated}", "trainer.max_epochs=1"]
    config = composed(*small("ddpm"), *typed, f"paths.run={tmp_path}")
    method, trainer = build_method(config.model, config), build_trainer(config)
    trainer.callbacks.append(hand := FollowedByHand())
    trainer.fit(method, build(config.data))
    assert hand.moved == moves
    averaged, network = method.average.network.parameters(), method.network.parameters()
    for found, expected, present in zip(averaged, hand.expected, network, strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
        assert not torch.equal(found, present)


def test_validation_measures_the_average_and_not_the_present_weights(composed) -> None:
    method = built(composed).eval()
    batch = {"image": torch.rand(2, 1, 16, 16)}

    def loss() -> torch.Tensor:
        return method.evaluation_loss(batch, None, torch.Generator().manual_seed(0))

    before = loss()
    torch.nn.init.normal_(method.network.head.weight)
    assert torch.equal(loss(), before)
    torch.nn.init.normal_(method.average.network.head.weight)
    assert not torch.equal(loss(), before)


@pytest.mark.parametrize("objective", ["eps", "v", "x_0"])
def test_the_objective_of_a_network_that_says_nothing(composed, objective: str) -> None:
    """A zero output leaves the target's own mean square: 1 for noise, E[x^2] for an image."""
    method = built(composed, f"model.objective={objective}")
    torch.manual_seed(1)
    image = torch.rand(512, 1, 16, 16)  # 2x - 1 is uniform on [-1, 1]: E[x^2] = 1/3
    error = method.denoising_error(lambda x, t: torch.zeros_like(x), image, None)
    abar = method.diffusion.alphas_cumprod
    expected = {"eps": 1.0, "x_0": 1 / 3, "v": float((abar + (1 - abar) / 3).mean())}
    assert error.shape == (512,)
    assert float(error.mean()) == pytest.approx(expected[objective], rel=0.05)


def test_each_image_is_noised_once_and_by_its_own_time(composed) -> None:
    method = built(composed)
    seen = {}

    def network(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen["x"], seen["t"] = x, t
        return torch.zeros_like(x)

    image = torch.full((4096, 1, 4, 4), 0.5)  # mid-grey is 0: x_t is the noise alone
    method.denoising_error(network, image, None)
    assert seen["t"].unique().numel() > 900
    late = seen["t"] > 500
    abar = method.diffusion.alphas_cumprod[seen["t"][late]]
    ratio = seen["x"][late].square().mean((1, 2, 3)).double() / (1 - abar)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.03)  # noised twice it would be 1.7


def test_what_samples_computes_what_the_average_does(composed) -> None:
    method = built(composed).train()
    x, t = torch.randn(8, 1, 16, 16), torch.arange(8)
    for _ in range(3):
        method.network(x, t)  # moves the batch norms' statistics
        method.average.update(method.network, 0.5)
        sampling = method.folded.at(torch.float32, torch.device("cpu"))
        assert torch.allclose(sampling(x, t), method.average(x, t), atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in sampling.modules())
    assert not any("folded" in name or "_copy" in name for name in method.state_dict())


def test_bf16_samples_with_bf16_weights_and_leaves_the_own_ones(composed) -> None:
    method = built(composed, "model.sampler.steps=3", "model.sampler.jump_length=1").eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:8, 4:8] = 1
    with torch.autocast("cpu", torch.bfloat16):
        method.complete(torch.rand(1, 1, 16, 16), mask)
        network = method.folded.at(torch.bfloat16, torch.device("cpu"))
    assert {value.dtype for value in network.parameters()} == {torch.bfloat16}
    after = method.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.dtype == after[name].dtype for name, value in before.items())


def test_guidance_goes_through_the_whole_method(composed) -> None:
    typed = [
        "model.sampler.steps=3",
        "model.sampler.jump_length=1",
        "model.sampler.jump_n_sample=1",
    ]
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., 4:] = 1
    fills = {}
    for guidance in ("none", "pigdm"):
        method = built(composed, *typed, f"model/sampler/guidance={guidance}").eval()
        image = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
            fills[guidance] = method.complete(image, mask, generator=generators)
            scrambled = torch.where(mask > 0, 1 - image, image)
            generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
            again = method.complete(scrambled, mask, generator=generators)
        assert torch.equal(fills[guidance][:, 0, :, :, 4:], again[:, 0, :, :, 4:])
        assert torch.equal(fills[guidance][:, 0, :, :, :4], image[..., :4])
    assert not torch.equal(fills["none"], fills["pigdm"])


def test_any_guidance_goes_with_any_walk(composed) -> None:
    typed = ["model/sampler=repaint", "model/sampler/guidance=pigdm"]
    described = built(composed, *typed).details()["sampler"]
    assert described.startswith("RePaint(steps=250") and "guidance=PiGDM(weight=1.0" in described


@pytest.mark.parametrize(
    "typed",
    [
        "model.ema_decay=1",
        "model.objective=noise",
        "model.sampler.eta=2",
        "model.sampler.steps=1001",
        "model.sampler.steps=0",
        "model.sampler.jump_length=0",
        "model.sampler.jump_n_sample=2.5",
        "model.sampler.jump_length=25 model.sampler.jump_n_sample=2",
        "model.sampler.guidance.weight=-1",
        "model.candidates=0",
        "model.candidates=2",
        "model.candidates=1.5",
        "model.num_completions=0",
        "model.completion_seed=-1",
        "model.val_completions=-1",
        "model.betas.timesteps=0",
        "model.network.base_dim=7",
        "model.network.attention_levels=4",
        "model.lr_schedule.warmup=1",
    ],
)
def test_a_choice_that_there_is_not_is_named(composed, typed: str) -> None:
    with pytest.raises(Exception, match=typed.split("=")[0]) as raised:
        built(composed, *typed.split())
    cause = raised.value
    assert isinstance(cause, InputError) or isinstance(cause.__cause__, InputError)


@pytest.mark.slow
def test_several_completions_side_by_side_with_their_spread(
    command, failure, tmp_path: Path, capsys
) -> None:
    typed = ["trainer.max_epochs=1", "model.num_completions=3", "hydra.run.dir=run"]
    command("train", *small("ddpm"), *typed)
    # 4 steps, every one of the first three walked twice: 4 + 3 calls
    assert "7 network calls per batch" in capsys.readouterr().out
    content = json.loads((tmp_path / "run/metrics.json").read_text())
    assert content["network_calls"] == 7 and content["num_completions"] == 3
    assert content["spread"] > 0
    with open(tmp_path / "run/per_image.csv", newline="") as file:
        spread = [float(row["spread"]) for row in csv.DictReader(file)]
    assert np.mean(spread) == pytest.approx(content["spread"], rel=1e-4)
    # target, masked image, prediction, three completions, two local crops
    rows = {}
    for k in (1, 3):
        command("evaluate", "run=run", f"model.num_completions={k}", f"hydra.run.dir=by_{k}")
        with Image.open(tmp_path / f"by_{k}/images/test.png") as grid:
            rows[k] = grid.height
    assert rows[3] > rows[1]
    # Weights that load and mean something else: another objective, schedule or network.
    for typed in ("objective=eps", "betas.timesteps=500", "network.residual=false"):
        for entry in ("evaluate run=run", "train resume=run"):
            message = failure(*entry.split(), f"model.{typed}")
            assert f"model.{typed.split('=')[0]}" in message and "leave it out" in message


def test_samples_are_not_averaged_with_those_of_the_mirror_image(composed) -> None:
    with pytest.raises(Exception, match=r"model\.flip_average=true.*blurred"):
        built(composed, "+model.flip_average=true")
