"""DDPM: what sampling and training cost, against diffusers and against plain float32."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hydra.utils import instantiate
from interleaved import Spread, in_turn, process_seconds, ratio
from test_precision import processor_flags
from torch import Tensor

from inpainting.diffusion.betas import cosine_betas
from inpainting.diffusion.process import Diffusion
from inpainting.diffusion.repaint import RePaint
from inpainting.nn.folded import fold
from inpainting.nn.unet import UNet

FULL = (250, 10, 10)  # arXiv 2201.09865: 2,410 calls
SIDE = 28

Network = Callable[[Tensor, Tensor], Tensor]


class Zero(torch.nn.Module):
    """A network that costs nothing, so that what is around it can be seen."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x)


def holes(batch: int) -> tuple[Tensor, Tensor]:
    image, mask = torch.rand(batch, 1, SIDE, SIDE) * 2 - 1, torch.zeros(batch, 1, SIDE, SIDE)
    mask[:, :, 9:19, 9:19] = 1
    return image, mask


def diffusers_walk(network: Network, image: Tensor, mask: Tensor, calls: int | None) -> int:
    """The loop of diffusers' RePaintPipeline, to its end or for the first calls; their number."""
    scheduler = pytest.importorskip("diffusers").RePaintScheduler(clip_sample=True)
    steps, length, repeats = FULL
    scheduler.set_timesteps(steps, length, repeats)
    scheduler.eta = 1.0
    x, last, done = torch.randn_like(image), scheduler.timesteps[0] + 1, 0
    for t in scheduler.timesteps:
        if t < last:
            output = network(x, t[None].expand(len(x)))
            x = scheduler.step(output, t, x, image, 1 - mask).prev_sample
            done += 1
            if done == calls:
                break
        else:
            x = scheduler.undo_step(x, last)
        last = t
    return done


@torch.no_grad()
def test_the_samplers_own_time_is_a_fraction_of_diffusers(report: Callable[..., None]):
    image, mask = holes(1)
    diffusion = Diffusion(cosine_betas(1000)).respace(FULL[0])
    sampler = RePaint(*FULL)
    ours = sampler.network_calls
    theirs = diffusers_walk(Zero(), image, mask, None)
    assert ours == theirs == 2410
    report(
        "RePaint without its network, batch 1: diffusers' scheduler / ours",
        ratio(
            lambda: diffusers_walk(Zero(), image, mask, None),
            lambda: sampler(Zero(), image, mask, diffusion),
            repeats=3,
        ),
        at_least=5,
    )


def unet(bf16: bool) -> UNet:
    """As `predict` samples with: in bf16 its weights too, batch norms folded in."""
    torch.manual_seed(0)
    network = UNet(residual=True).eval().requires_grad_(False)
    if bf16:
        network = fold(network).to(torch.bfloat16, memory_format=torch.channels_last)
    return network


@torch.no_grad()
def test_sampling_forwards_are_faster_in_bf16(report: Callable[..., None]):
    if "avx512_bf16" not in processor_flags():
        pytest.skip("this processor has no instructions for bf16")
    x, t = torch.randn(64, 1, SIDE, SIDE), torch.full((64,), 500)
    plain, half, compiled = unet(False), unet(True), unet(True)
    compiled.compile()
    for name, network in (("bf16 channels last", half), ("the same, compiled", compiled)):
        report(
            f"U-Net forward at batch 64, eager float32 / {name}",
            ratio(lambda: plain(x, t), lambda network=network: network(x, t), repeats=5),
            at_least=2,
        )


@torch.no_grad()
def test_a_whole_fill_is_faster_than_diffusers(composed, report: Callable[..., None]):
    """Their loop for twenty calls, times 2,410 / 20; ours whole, with the default schedule."""
    image, mask = holes(64)
    plain, half = unet(False), unet(True)
    sampler = instantiate(composed("model=ddpm").model.sampler, _convert_="all")
    diffusion = Diffusion(cosine_betas(1000), "v").respace(sampler.steps)

    def theirs() -> float:
        return process_seconds(lambda: diffusers_walk(plain, image, mask, 20)) * 2410 / 20

    def ours() -> float:
        return process_seconds(lambda: sampler(half, image, mask, diffusion))

    pairs = in_turn(theirs, ours, repeats=3)
    report(
        "a fill at batch 64: diffusers' RePaint (2,410 calls, float32) / repaint_fast "
        f"({sampler.network_calls} guided calls, bf16)",
        Spread.of([one / other for one, other in pairs]),
        at_least=20,
        digits=0,
    )


def test_the_u_nets_training_step_is_faster_in_bf16(report: Callable[..., None]):
    if "avx512_bf16" not in processor_flags():
        pytest.skip("this processor has no instructions for bf16")
    diffusion = Diffusion(cosine_betas(1000), "v")

    def stepper(bf16: bool) -> Callable[[], None]:
        torch.manual_seed(0)
        network = UNet(residual=True)
        if bf16:
            network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        seeds = itertools.count()

        def step() -> None:
            torch.manual_seed(next(seeds))
            x_0, eps = torch.randn(2, 32, 1, SIDE, SIDE)
            t = torch.randint(1000, (32,))
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                output = network(diffusion.q_sample(x_0, t, eps), t)
            loss = (output - diffusion.target(x_0, t, eps)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return step

    report(
        "U-Net training step at batch 32, eager float32 / bf16 channels last",
        ratio(stepper(False), stepper(True), repeats=5),
        at_least=2.2,
    )
