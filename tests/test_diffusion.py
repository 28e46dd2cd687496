"""The noising process: schedules against diffusers, the rest against algebra and chance."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from noising import predict_eps, predict_x_0

from inpainting.diffusion.betas import cosine_betas, linear_betas
from inpainting.diffusion.process import OBJECTIVES, Diffusion
from inpainting.diffusion.steps import steps_down
from inpainting.errors import InputError

SHAPE = (4, 3, 6, 6)
T = 40


@pytest.fixture(params=["linear", "cosine"])
def betas(request: pytest.FixtureRequest) -> torch.Tensor:
    return {"linear": linear_betas, "cosine": cosine_betas}[request.param](T)


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A clean image, its noise, and one time for each image."""
    generator = torch.Generator().manual_seed(0)
    x_0 = torch.rand(SHAPE, generator=generator) * 2 - 1
    return x_0, torch.randn(SHAPE, generator=generator), torch.tensor([0, 1, T // 2, T - 1])


@pytest.mark.parametrize(
    ("ours", "theirs"), [(linear_betas, "linear"), (cosine_betas, "squaredcos_cap_v2")]
)
def test_schedules_are_those_of_diffusers(ours, theirs: str) -> None:
    peer = DDPMScheduler(1000, beta_schedule=theirs)
    assert ours(1000).dtype == torch.float64
    assert torch.allclose(ours(1000).float(), peer.betas, atol=1e-5)
    abar = Diffusion(ours(1000)).alphas_cumprod.float()
    assert torch.allclose(abar, peer.alphas_cumprod, atol=1e-5)


@pytest.mark.parametrize("timesteps", [20, 80, 200, 1000])
def test_the_last_step_is_almost_pure_noise_for_any_number_of_steps(timesteps: int) -> None:
    for betas in (linear_betas(timesteps), cosine_betas(timesteps)):
        assert Diffusion(betas).alphas_cumprod[-1] < 1e-4
        assert betas.min() > 0 and betas.max() <= 0.999


def test_the_authors_unscaled_schedule_leaves_a_image_in_the_noise() -> None:
    unscaled = linear_betas(80, 1e-4 * 80 / 1000, 0.02 * 80 / 1000)
    assert Diffusion(unscaled).alphas_cumprod[-1] == pytest.approx(0.445, abs=1e-3)


def test_noised_images_have_the_mean_and_the_variance_of_q(betas: torch.Tensor) -> None:
    diffusion, step = Diffusion(betas), T // 3
    generator = torch.Generator().manual_seed(1)
    x_0 = torch.full((20_000, 1, 2, 2), 0.7)
    eps = torch.randn(x_0.shape, generator=generator)
    x_t = diffusion.q_sample(x_0, torch.full((len(x_0),), step), eps)
    abar = (1 - betas[: step + 1]).prod().item()
    assert x_t.mean().item() == pytest.approx(math.sqrt(abar) * 0.7, abs=0.015)
    assert x_t.var().item() == pytest.approx(1 - abar, rel=0.03)


def test_noising_in_single_steps_equals_noising_at_once(betas: torch.Tensor) -> None:
    mean, variance = 1.0, 0.0
    for step, beta in enumerate(betas.tolist()):
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        diffusion = Diffusion(betas)
        assert diffusion.signal[step].item() == pytest.approx(mean, rel=1e-9)
        assert diffusion.sigma[step].item() ** 2 == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_right_output_gives_back_the_image_and_its_noise(betas, drawn, objective: str) -> None:
    x_0, eps, t = drawn
    diffusion = Diffusion(betas, objective)
    x_t = diffusion.q_sample(x_0, t, eps)
    found = predict_x_0(diffusion, x_t, t, diffusion.target(x_0, t, eps))
    # x_0 is divided by sqrt(abar), which float32 rounding shows where almost nothing is left
    tolerance = 1e-6 / diffusion.signal[t].float().view(-1, 1, 1, 1)
    assert ((found - x_0).abs() <= 5 * tolerance).all()
    assert torch.allclose(predict_eps(diffusion, x_t, t, x_0), eps, atol=1e-4)


def test_an_output_that_is_wrong_means_the_same_in_each_objective(betas, drawn) -> None:
    x_0, eps, _ = drawn
    t = torch.full((4,), T // 2)
    by_eps, by_v, by_x_0 = (Diffusion(betas, objective) for objective in ("eps", "v", "x_0"))
    x_t = by_eps.q_sample(x_0, t, eps)
    guess = eps + 0.1
    x_0_guess = predict_x_0(by_eps, x_t, t, guess)
    assert torch.equal(predict_x_0(by_x_0, x_t, t, x_0_guess), x_0_guess)
    v_guess = by_v.target(x_0_guess, t, guess)
    assert torch.allclose(predict_x_0(by_v, x_t, t, v_guess), x_0_guess, atol=1e-5)
    assert torch.allclose(predict_eps(by_eps, x_t, t, x_0_guess), guess, atol=1e-5)


def test_v_is_that_of_diffusers(drawn) -> None:
    x_0, eps, t = drawn
    peer = DDPMScheduler(T, trained_betas=cosine_betas(T).float().numpy())
    found = Diffusion(cosine_betas(T), "v").target(x_0, t, eps)
    assert torch.allclose(found, peer.get_velocity(x_0, eps, t), atol=1e-5)


def test_a_step_down_is_bayes_rule_by_hand(betas: torch.Tensor) -> None:
    """Precisions add: N(x_{t-1}; sqrt(abar') x_0, 1 - abar') times N(x_t; sqrt(alpha) x_{t-1})."""
    x_0, x_t = 0.4, -1.1
    for step in range(1, T):
        beta, before = betas[step].item(), (1 - betas[:step]).prod().item()
        precision = 1 / (1 - before) + (1 - beta) / beta
        expected = (math.sqrt(before) * 0.4 / (1 - before) + math.sqrt(1 - beta) * -1.1 / beta) / (
            precision
        )
        down = steps_down(Diffusion(betas))[step]
        assert down.from_x_0 * x_0 + down.from_x * x_t == pytest.approx(expected, abs=1e-5)
        assert down.noise**2 == pytest.approx(1 / precision, rel=1e-4)


def test_a_step_down_is_what_sampling_the_two_steps_shows() -> None:
    """Keep, of many pairs (x_{t-1}, x_t) noised from one x_0, those whose x_t is near a value."""
    betas, step, x_0 = linear_betas(T), T // 4, 0.5
    generator = torch.Generator().manual_seed(2)
    eps, eps_2 = torch.randn(2, 2_000_000, generator=generator)
    before = (1 - betas[:step]).prod().item()
    x_before = math.sqrt(before) * x_0 + math.sqrt(1 - before) * eps
    beta = betas[step].item()
    x_t = math.sqrt(1 - beta) * x_before + math.sqrt(beta) * eps_2
    seen = x_before[(x_t - 0.8).abs() < 0.01]
    assert len(seen) > 5_000
    down = steps_down(Diffusion(betas))[step]
    assert seen.mean().item() == pytest.approx(down.from_x_0 * x_0 + down.from_x * 0.8, abs=0.01)
    assert seen.var().item() == pytest.approx(down.noise**2, rel=0.05)


def test_the_last_step_down_is_the_image(betas) -> None:
    last = steps_down(Diffusion(betas))[0]
    assert (last.from_x, last.from_x_0, last.noise) == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("steps", [1, 2, 7, 25, T])
def test_fewer_steps_keep_noise_levels_and_the_networks_times(betas, steps: int) -> None:
    full, short = Diffusion(betas, "v"), Diffusion(betas, "v").respace(steps)
    times = short.times
    assert short.timesteps == len(times) == steps and short.objective == "v"
    assert times[-1] == T - 1 and (steps == 1 or times[0] == 0)
    gaps = times.diff()
    assert steps == 1 or gaps.max() - gaps.min() <= 1
    assert torch.allclose(short.alphas_cumprod, full.alphas_cumprod[times], rtol=0, atol=1e-14)
    again = short.respace(steps)
    assert torch.equal(again.times, times)


def test_250_of_1000_steps_are_those_of_the_improved_ddpm_code() -> None:
    # by its rule: add the stride 999 / 249, round
    expected, position = [], 0.0
    for _ in range(250):
        expected.append(round(position))
        position += 999 / 249
    assert Diffusion(linear_betas(1000)).respace(250).times.tolist() == expected


@pytest.mark.parametrize("steps", [0, -1, T + 1])
def test_a_wrong_number_of_sampling_steps_is_named(steps: int) -> None:
    with pytest.raises(InputError, match=f"sampler.steps={steps}.*{T}"):
        Diffusion(linear_betas(T)).respace(steps)


def test_an_unknown_objective_and_no_timesteps_are_named() -> None:
    with pytest.raises(InputError, match="objective=noise: type eps, v, x_0"):
        Diffusion(linear_betas(T), "noise")
    with pytest.raises(InputError, match="timesteps=0"):
        cosine_betas(0)


def test_tables_are_float32_on_the_device_and_moving_to_the_same_one_is_free(betas, drawn) -> None:
    x_0, eps, t = drawn
    diffusion = Diffusion(betas)
    assert diffusion.to("cpu") is diffusion
    assert diffusion.q_sample(x_0, t, eps).dtype == torch.float32
    assert diffusion.to("meta").times.device.type == "meta"
