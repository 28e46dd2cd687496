"""Filling by diffusion: the schedule's golden numbers, diffusers, a literal algorithm 1."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import RePaintScheduler
from noising import predict_eps, predict_x_0
from torch import Tensor

from inpainting.diffusion.betas import cosine_betas, linear_betas
from inpainting.diffusion.ddnm import DDNM
from inpainting.diffusion.denoiser import Guidance
from inpainting.diffusion.guidance.none import Unguided
from inpainting.diffusion.guidance.pigdm import PiGDM
from inpainting.diffusion.jumps import jump, jump_schedule, moves, network_calls
from inpainting.diffusion.medoid import medoid
from inpainting.diffusion.process import OBJECTIVES, Diffusion
from inpainting.diffusion.repaint import RePaint
from inpainting.diffusion.steps import steps_down
from inpainting.diffusion.walk import Sampler
from inpainting.errors import InputError

T = 20


def undo_steps(schedule: list[int]) -> int:
    return sum(after > before for before, after in pairwise(schedule))


def example(batch: int = 2, channels: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """An image in [-1, 1] and a mask with a hole, a soft pixel and a different hole per image."""
    image = torch.rand(batch, channels, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    mask = torch.zeros(batch, 1, 6, 6)
    for i in range(batch):
        mask[i, :, i % 3 : i % 3 + 3, 1:5] = 1
    mask[:, :, 5, 5] = 0.3
    return image, mask


def denoiser(x: Tensor, t: Tensor) -> Tensor:
    """Some smooth function that looks at neighbours and at the time."""
    near = (x.roll(1, -1) + x.roll(-1, -2)) / 2
    return torch.tanh(0.8 * near + 0.1 * x) * (0.5 + t.view(-1, 1, 1, 1) / 1000)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


SAMPLERS: dict[str, Sampler] = {
    "repaint": RePaint(T, 5, 2),
    "repaint guided": RePaint(T, 5, 2, guidance=PiGDM()),
    "repaint_fast": DDNM(T, 5, 2),
    "repaint_fast guided": DDNM(T, 5, 2, guidance=PiGDM()),
    "replace": RePaint(T, 1, 1),
}


@pytest.mark.parametrize(
    ("timesteps", "length", "samples", "calls"),
    [
        (250, 10, 10, 2410),
        (250, 10, 1, 250),
        (250, 10, 5, 1210),
        (100, 10, 10, 910),
        (100, 10, 5, 460),
        (50, 10, 10, 410),
        (50, 5, 5, 230),
        (25, 5, 5, 105),
        (1000, 10, 10, 9910),
        (250, 1, 10, 2491),
    ],
)
def test_schedules_cost_the_calls_that_the_authors_code_costs(
    timesteps: int, length: int, samples: int, calls: int
) -> None:
    schedule = jump_schedule(timesteps, length, samples)
    assert network_calls(schedule) == calls
    assert all(abs(before - after) == 1 for before, after in pairwise(schedule))
    assert schedule[0] == timesteps - 1 and schedule[-1] == -1
    assert undo_steps(schedule) == calls - timesteps


def test_the_full_schedule_has_its_golden_numbers() -> None:
    schedule = jump_schedule(250, 10, 10)
    assert (len(schedule), network_calls(schedule), undo_steps(schedule)) == (4571, 2410, 2160)


def test_a_short_schedule_is_the_list_of_the_authors_code() -> None:
    expected = [
        *range(19, 9, -1),
        *range(11, 16),
        *range(14, 4, -1),
        *range(6, 11),
        *range(9, -1, -1),
        *range(1, 6),
        *range(4, -2, -1),
    ]
    assert jump_schedule(20, 5, 2) == expected


@pytest.mark.parametrize(("timesteps", "length", "samples"), [(50, 10, 10), (25, 5, 3), (8, 1, 4)])
def test_the_schedule_is_that_of_diffusers(timesteps: int, length: int, samples: int) -> None:
    peer = RePaintScheduler(timesteps)
    peer.set_timesteps(timesteps, length, samples)
    assert jump_schedule(timesteps, length, samples) == [*peer.timesteps.tolist(), -1]


@pytest.mark.parametrize("key", ["jump_length", "jump_n_sample"])
def test_jumps_below_one_are_named(key: str) -> None:
    with pytest.raises(InputError, match=f"{key}=0"):
        jump_schedule(20, **{"jump_length": 5, "jump_n_sample": 2, key: 0})


@pytest.mark.parametrize(("length", "samples"), [(5, 2), (5, 4), (1, 3), (2, 2)])
def test_moves_walk_the_whole_schedule_with_one_move_for_each_jump(
    length: int, samples: int
) -> None:
    schedule = jump_schedule(T, length, samples)
    found = list(moves(schedule))
    assert sum(end < start for start, end in found) == network_calls(schedule)
    assert all(end - start in (-1, length) for start, end in found)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    assert sum(max(0, end - start) for start, end in found) == undo_steps(schedule)


@pytest.mark.parametrize("betas", [linear_betas(T), cosine_betas(T)])
def test_a_jump_has_the_mean_and_variance_of_its_single_steps(betas: Tensor) -> None:
    diffusion = Diffusion(betas)
    for start in range(T - 5):
        mean, variance = 1.0, 0.0
        for beta in betas[start + 1 : start + 6].tolist():
            mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        factor, sigma = jump(diffusion, start, start + 5)
        assert factor == pytest.approx(mean, rel=1e-9)
        assert sigma**2 == pytest.approx(variance, rel=1e-9)


def test_a_jump_is_distributed_like_diffusers_undo_steps() -> None:
    betas = linear_betas(T)
    peer = RePaintScheduler(T, trained_betas=betas.float().numpy())
    peer.set_timesteps(T, 5, 2)
    x = torch.full((200_000,), 0.9)
    generator = seeded()
    for step in range(4, 9):
        x = peer.undo_step(x, step + 1, generator)  # diffusers counts from where the step leads
    factor, sigma = jump(Diffusion(betas), 4, 9)
    assert x.mean().item() == pytest.approx(factor * 0.9, abs=0.01)
    assert x.std().item() == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("betas", [linear_betas(T), cosine_betas(T)])
def test_a_step_down_without_eta_is_the_posterior(betas: Tensor) -> None:
    diffusion = Diffusion(betas)
    abar = diffusion.alphas_cumprod.tolist()
    for t, step in enumerate(steps_down(diffusion)):  # arXiv 2006.11239, eq. 7
        before, beta = abar[t - 1] if t else 1.0, betas[t].item()
        assert step.from_x_0 == pytest.approx(math.sqrt(before) * beta / (1 - abar[t]))
        assert step.from_x == pytest.approx(math.sqrt(1 - beta) * (1 - before) / (1 - abar[t]))
        assert step.noise**2 == pytest.approx((1 - before) / (1 - abar[t]) * beta)


@pytest.mark.parametrize("eta", [None, 0.0, 0.5, 0.85, 1.0])
def test_every_step_down_leads_from_one_noise_level_to_the_next(eta: float | None) -> None:
    """With the true x_0, x_{t-1} has the mean and variance of q(x_{t-1} | x_0)."""
    diffusion = Diffusion(cosine_betas(T))
    for t, step in enumerate(steps_down(diffusion, eta)):
        signal, sigma = diffusion.signal[t].item(), diffusion.sigma[t].item()
        assert step.from_x * signal + step.from_x_0 == pytest.approx(step.signal)
        variance = (step.from_x * sigma) ** 2 + step.noise**2
        assert variance == pytest.approx(step.sigma**2)
        if eta is not None:
            assert step.noise == pytest.approx(eta * step.sigma)


def test_eta_outside_its_range_is_named() -> None:
    with pytest.raises(InputError, match="eta=1.5"):
        DDNM(T, 1, 1, eta=1.5)


def test_a_jump_as_long_as_the_walk_is_refused() -> None:
    with pytest.raises(InputError, match="jump_length=20 of 20 steps never jumps"):
        RePaint(T, T, 2)
    assert RePaint(T, T, 1).network_calls == T


@pytest.mark.parametrize("clip", [False, True])
def test_one_step_is_that_of_diffusers(clip: bool) -> None:
    """The last two times: one step with noise, then the last, on all of the image.

    Where clipping acts the two differ on purpose: the authors' code, and ours, take the posterior
    of the clipped x_0; diffusers goes on with the noise that was predicted with the unclipped one.
    """
    betas, (image, mask) = linear_betas(T), example()
    mask = (mask == 1).float()
    peer = RePaintScheduler(T, trained_betas=betas.float().numpy(), eta=1.0, clip_sample=clip)
    peer.set_timesteps(T, T, 1)
    diffusion = Diffusion(betas).keep(torch.arange(8))
    seen = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        seen.append(x.clone())
        small = 0.2 * denoiser(x, t)
        return predict_eps(diffusion, x, t, small)  # stands for an x_0 well inside [-1, 1]

    sampler = RePaint(8, 1, 1, guidance=Unguided(clip))
    result = sampler(network, image, mask, diffusion, seeded())
    generator = seeded()
    torch.randn(image.shape, generator=generator)  # x_T
    for i, t in enumerate(range(7, -1, -1)):
        x = seen[i]
        output = predict_eps(diffusion, x, torch.tensor([t]), 0.2 * denoiser(x, torch.tensor([t])))
        expected = peer.step(output, t, x, image, 1 - mask, generator).prev_sample
        found = seen[i + 1] if t else result
        assert torch.allclose(found, expected, atol=1e-5), t


def literal_algorithm_1(
    network, image: Tensor, mask: Tensor, diffusion: Diffusion, schedule: list[int], clip: bool
) -> Tensor:
    """Algorithm 1 of the paper, line by line, with every undo step a step of its own.

    A jump is one draw z in `repaint`; here its steps' noises are the shares c_i / |c| of z, with
    c_i what the i-th noise contributes to the end of the jump, so that they add up to the same.
    """
    generator, betas, abar = seeded(), diffusion.betas, diffusion.alphas_cumprod

    def draw() -> Tensor:
        return torch.randn(image.shape, generator=generator)

    known, x, i = (mask == 0).float(), draw(), 0
    while i < len(schedule) - 1:
        t, after = schedule[i], schedule[i + 1]
        if after < t:
            before = abar[t - 1] if t else torch.ones(())
            eps = z = draw()  # lines 4 and 6: no pixel uses both
            x_known = before.sqrt() * image + (1 - before).sqrt() * eps  # line 5, with the root
            time = diffusion.times[t].repeat(len(image))
            noise = network(x.float(), time)
            x_0 = (x - (1 - abar[t]).sqrt() * noise) / abar[t].sqrt()
            x_0 = x_0.clamp(-1, 1) if clip else x_0
            mean = before.sqrt() * betas[t] / (1 - abar[t]) * x_0
            mean = mean + (1 - betas[t]).sqrt() * (1 - before) / (1 - abar[t]) * x
            sigma = ((1 - before) / (1 - abar[t]) * betas[t]).sqrt()
            x_unknown = mean + sigma * z if t else mean  # line 7; z = 0 at the last step
            x = known * x_known + (1 - known) * x_unknown  # line 8
            i += 1
            continue
        end = i
        while end + 1 < len(schedule) and schedule[end + 1] > schedule[end]:
            end += 1
        up = schedule[i + 1 : end + 1]
        shares = [(betas[s] * (1 - betas[s + 1 : up[-1] + 1]).prod()).sqrt() for s in up]
        z, norm = draw(), math.sqrt(sum(share**2 for share in shares))
        for s, share in zip(up, shares, strict=True):  # line 10
            x = (1 - betas[s]).sqrt() * x + betas[s].sqrt() * (share / norm) * z
        i = end
    return x.float()


@pytest.mark.parametrize(("length", "samples"), [(5, 2), (1, 3), (4, 3), (5, 1)])
@pytest.mark.parametrize("clip", [False, True])
def test_the_whole_loop_is_algorithm_1(length: int, samples: int, clip: bool) -> None:
    image, mask = example()
    diffusion, schedule = (
        Diffusion(linear_betas(1000)).respace(T),
        jump_schedule(T, length, samples),
    )
    sampler = RePaint(T, length, samples, guidance=Unguided(clip))
    found = sampler(denoiser, image, mask, diffusion, seeded())
    expected = literal_algorithm_1(denoiser, image, mask, diffusion, schedule, clip)
    assert torch.allclose(found, expected, atol=1e-3 if not clip else 1e-4)
    assert (found - image).abs().max() > 0.1  # the hole is not simply the image


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_perfect_denoiser_gives_back_the_image(objective: str, name: str, channels: int) -> None:
    image, mask = example(channels=channels)
    diffusion = Diffusion(cosine_betas(1000), objective).respace(T)
    index = {int(time): i for i, time in enumerate(diffusion.times)}

    def perfect(x: Tensor, t: Tensor) -> Tensor:
        step = torch.full_like(t, index[int(t[0])])
        return diffusion.target(image, step, predict_eps(diffusion, x, step, image))

    hidden = torch.where(mask > 0, torch.nan, image)  # what lies under the hole is not looked at
    sampler = SAMPLERS[name]
    assert torch.allclose(sampler(perfect, hidden, mask, diffusion, seeded()), image, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_known_pixels_come_back_exactly_whatever_the_denoiser_says(name: str) -> None:
    image, mask = example()
    diffusion = Diffusion(linear_betas(T))
    sampler = SAMPLERS[name]
    nothing = torch.zeros_like(mask)
    assert torch.equal(sampler(denoiser, image, nothing, diffusion, seeded()), image)
    found = sampler(denoiser, image, mask, diffusion, seeded())
    assert torch.equal(torch.where(mask == 0, found, image), image)


@pytest.mark.parametrize("name", SAMPLERS)
def test_soft_pixels_are_filled_as_they_were_erased(name: str) -> None:
    image, mask = example()
    diffusion = Diffusion(linear_betas(T))
    sampler = SAMPLERS[name]
    soft = sampler(denoiser, image, mask, diffusion, seeded())
    scrambled = torch.where(mask > 0, -image, image)
    assert torch.equal(sampler(denoiser, scrambled, mask, diffusion, seeded()), soft)
    assert torch.equal(sampler(denoiser, image, (mask > 0).float(), diffusion, seeded()), soft)


@pytest.mark.parametrize("name", SAMPLERS)
def test_chance_comes_from_the_generator_alone_and_inputs_stay(name: str) -> None:
    image, mask = example()
    before = image.clone()
    diffusion = Diffusion(linear_betas(T))
    sampler = SAMPLERS[name]
    first = sampler(denoiser, image, mask, diffusion, seeded())
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(sampler(denoiser, image, mask, diffusion, seeded()), first)
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(image, before)
    assert not torch.equal(sampler(denoiser, image, mask, diffusion, seeded(4)), first)
    torch.manual_seed(3)  # without one, torch's own
    assert torch.equal(sampler(denoiser, image, mask, diffusion), first)


def test_the_denoiser_is_told_its_own_times_as_often_as_was_promised() -> None:
    image, mask = example()
    diffusion, schedule = Diffusion(linear_betas(1000)).respace(T), jump_schedule(T, 5, 2)
    told = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == (len(x),) and t.dtype == torch.int64 and (t == t[0]).all()
        told.append(int(t[0]))
        return torch.zeros_like(x)

    for sampler in (RePaint(T, 5, 2), DDNM(T, 5, 2)):
        told.clear()
        sampler(network, image, mask, diffusion, seeded())
        down = [before for before, after in pairwise(schedule) if after < before]
        assert told == diffusion.times[down].tolist()
        assert len(told) == sampler.network_calls == network_calls(schedule)
    told.clear()
    SAMPLERS["replace"](network, image, mask, diffusion, seeded())
    assert told == diffusion.times.flip(0).tolist()


@pytest.mark.parametrize("eta", ["repaint", None, 0.0, 0.85, 1.0])
def test_pixels_of_known_spread_are_filled_with_the_spread_that_theory_gives(eta) -> None:
    """Pixels that are N(0.2, 0.3^2) have a linear best denoiser, so each move's moments are known.

    At 50 steps DDPM's posterior gives 0.265, DDNM 0.282, 0.246 and 0.202 at eta = 0, 0.85 and 1.
    """
    mean, spread = 0.2, 0.3
    diffusion, schedule = Diffusion(cosine_betas(1000), "x_0").respace(50), jump_schedule(50, 5, 2)
    abar = diffusion.alphas_cumprod.tolist()
    gains = [math.sqrt(a) * spread**2 / (a * spread**2 + 1 - a) for a in abar]
    index = {int(time): i for i, time in enumerate(diffusion.times)}

    def best(x: Tensor, t: Tensor) -> Tensor:
        i = index[int(t[0])]
        return mean + gains[i] * (x - math.sqrt(abar[i]) * mean)

    steps, variance = steps_down(diffusion, None if eta == "repaint" else eta), 1.0
    for start, end in moves(schedule):
        if end > start:
            factor, sigma = jump(diffusion, start, end)
        else:
            factor = steps[start].from_x + steps[start].from_x_0 * gains[start]
            sigma = steps[start].noise
        variance = factor**2 * variance + sigma**2

    image, mask = torch.zeros(16, 1, 32, 32), torch.ones(16, 1, 32, 32)
    free = Unguided(clip=False)
    paper = eta == "repaint"
    sampler = RePaint(50, 5, 2, guidance=free) if paper else DDNM(50, 5, 2, eta, guidance=free)
    filled = sampler(best, image, mask, diffusion, seeded())
    assert filled.mean().item() == pytest.approx(mean, abs=0.02)
    assert filled.std().item() == pytest.approx(math.sqrt(variance), rel=0.03)
    expected = {"repaint": 0.265, None: 0.265, 0.0: 0.282, 0.85: 0.246, 1.0: 0.202}[eta]
    assert math.sqrt(variance) == pytest.approx(expected, abs=0.0005)


def test_ddnm_without_fresh_noise_and_jumps_depends_on_the_first_noise_alone() -> None:
    image, mask = example()
    diffusion = Diffusion(linear_betas(1000)).respace(T)
    found = DDNM(T, 1, 1, eta=0.0)(denoiser, image, mask, diffusion, seeded())
    x = torch.randn(image.shape, generator=seeded())
    for t in range(T - 1, -1, -1):  # DDIM of the mended x_0 (arXiv 2010.02502, eq. 12)
        step = torch.full((2,), t)
        x_0 = predict_x_0(diffusion, x, step, denoiser(x, diffusion.times[step])).clamp(-1, 1)
        x_0 = torch.where(mask == 0, image, x_0)
        eps = predict_eps(diffusion, x, step, x_0)
        before = diffusion.alphas_cumprod[t - 1].item() if t else 1.0
        x = math.sqrt(before) * x_0 + math.sqrt(1 - before) * eps
    assert torch.allclose(found, x, atol=1e-4)


def test_guidance_is_the_transposed_jacobian_of_what_the_known_pixels_miss() -> None:
    weights = torch.tensor([[0.5, 0.2, -0.1], [0.3, 0.4, 0.6], [0.1, -0.2, 0.7]])
    image = torch.tensor([0.2, -0.5, 0.0]).view(1, 1, 1, 3)
    mask = torch.tensor([0.0, 0.0, 1.0]).view(1, 1, 1, 3)
    diffusion = Diffusion(cosine_betas(4), "x_0").respace(1)  # a single step, from pure noise
    noise = torch.empty(1, 1, 1, 3).normal_(generator=seeded()).flatten()
    sampler = DDNM(1, 1, 1, guidance=PiGDM(weight=2.0, clip=False))
    found = sampler(lambda x, t: x @ weights.T, image, mask, diffusion, seeded())
    x_0 = weights @ noise
    missed = torch.tensor([0.2 - x_0[0], -0.5 - x_0[1], 0.0])
    pull = weights.T @ missed
    filled = x_0[2] + 2.0 * float(diffusion.signal[0]) * pull[2]
    assert torch.allclose(found.flatten(), torch.stack([*image.flatten()[:2], filled]), atol=1e-6)


def test_guided_fills_come_closer_to_the_exact_posterior() -> None:
    """Two pixels that go together: of the second, the first being 0.4, it is known exactly."""
    covariance = 0.09 * torch.tensor([[1.0, 0.9], [0.9, 1.0]])
    diffusion = Diffusion(cosine_betas(1000), "x_0").respace(T)
    levels = dict(
        zip(
            diffusion.times.tolist(),
            zip(diffusion.signal, diffusion.sigma, strict=True),
            strict=True,
        )
    )

    def best(x: Tensor, t: Tensor) -> Tensor:
        signal, sigma = (float(one) for one in levels[int(t[0])])
        both = signal**2 * covariance + sigma**2 * torch.eye(2)
        return x @ (signal * covariance @ torch.linalg.inv(both)).T

    image = torch.tensor([0.4, 0.0]).expand(4000, 1, 1, 2)
    mask = torch.tensor([0.0, 1.0]).expand(4000, 1, 1, 2)

    def mean(guidance: Guidance) -> float:
        filled = DDNM(T, 1, 1, guidance=guidance)(best, image, mask, diffusion, seeded())
        return float(filled[..., 1].mean())

    exact = 0.9 * 0.4
    assert abs(mean(PiGDM()) - exact) < 0.6 * abs(mean(Unguided()) - exact)


def test_guidance_works_where_evaluation_keeps_no_graph() -> None:
    image, mask = example()
    diffusion, sampler = Diffusion(linear_betas(T)), DDNM(T, 5, 2, guidance=PiGDM())
    expected = sampler(denoiser, image, mask, diffusion, seeded())
    with torch.inference_mode():
        inputs = (image.clone(), mask.clone())  # as a loader hands them over
        found = sampler(denoiser, *inputs, diffusion, seeded())
    assert torch.equal(found, expected) and not found.requires_grad


def test_the_medoid_is_the_sample_between_the_others() -> None:
    values = torch.tensor([[0.0, 9.0], [4.0, 1.0], [5.0, 2.0]])  # three samples of two images
    samples = values.view(3, 2, 1, 1, 1).expand(3, 2, 1, 4, 4)
    assert medoid(samples)[:, 0, 0, 0].tolist() == [4.0, 2.0]
    assert torch.equal(medoid(samples[:1]), samples[0])
    near = 1000 + torch.tensor([0.0, 0.01, 0.03]).view(3, 1, 1, 1, 1)  # far from zero
    assert medoid(near).item() == pytest.approx(1000.01, abs=1e-3)


def test_a_line_that_lies_a_pixel_aside_counts_as_nearly_the_same() -> None:
    def column(x: int, value: float = 1.0) -> Tensor:
        drawn = torch.zeros(1, 1, 8, 8)
        drawn[..., x] = value
        return drawn

    # Pixel by pixel each line has a squared distance of 16 to every other, wherever they lie, and
    # the faint one, 8.72 from each, would be the nearest to all.
    samples = torch.stack([column(1), column(2), column(3), column(6, 0.3)])
    assert torch.equal(medoid(samples), column(2))
