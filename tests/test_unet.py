"""The U-Net of report 003, to the parameter."""

import pytest
import torch

from inpainting.nn.unet import UNet


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def main_block(i: int, o: int) -> int:
    """1x1, 3x3 depthwise, 1x1, each with bias and batch norm."""
    return (i * i + i + 2 * i) + (9 * i + i + 2 * i) + (i * o + o + 2 * o)


def test_parameter_count_is_the_reports() -> None:
    assert count(UNet()) == count(UNet(residual=True)) == 1_794_625


def test_each_part_has_the_parameters_of_the_reports_layers() -> None:
    network = UNet()
    assert count(network.times) == 256_000
    assert count(network.stem) == (9 * 64 + 64) + 2 * 64
    assert count(network.middle) == 2 * main_block(256, 256) + main_block(256, 128)
    encoder, decoder = network.encoders[1], network.decoders[0]  # 128 to 256 channels, and back
    assert count(encoder.blocks) == 3 * main_block(128, 128) + main_block(128, 128)
    assert count(encoder.time) == (256 * 128 + 128) + (128 * 128 + 128)
    assert count(encoder.halve) == (128 * 256 + 256 + 512) + (9 * 256 + 256 + 512) + (
        256 * 256 + 256 + 512
    )
    assert count(decoder.blocks) == 3 * main_block(256, 256) + main_block(256, 128)
    assert count(decoder.out) == main_block(128, 64)
    assert count(network.head) == 33


def test_separable_convolutions_are_what_keeps_it_small() -> None:
    """The report's claim: the same blocks with dense 3x3 convolutions have several times more."""
    dense = sum(
        module.weight.numel() * (module.groups - 1)
        for module in UNet().modules()
        if isinstance(module, torch.nn.Conv2d) and module.groups > 1
    )
    assert count(UNet()) + dense > 4 * count(UNet())


@pytest.mark.parametrize(
    ("channels", "size", "mults", "multiple"),
    [
        (1, (28, 28), (2, 4), 4),
        (3, (64, 64), (2, 2, 4), 8),
        (3, (20, 36), (2, 3), 4),
        (1, (6, 10), (2,), 2),
    ],
)
@pytest.mark.parametrize("attention_levels", [0, 1, 2])
def test_takes_other_sizes_and_channels(
    channels: int, size: tuple, mults: tuple, multiple: int, attention_levels: int
) -> None:
    network = UNet(channels, 8, mults, 50, attention_levels)
    assert network.size_multiple == multiple
    x = torch.randn(2, channels, *size)
    out = network(x, torch.tensor([0, 49]))
    assert out.shape == x.shape
    out.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_attention_stands_at_the_lowest_resolutions_asked_for() -> None:
    """Without attention a pixel does not reach across a large image; with it, it does."""
    torch.manual_seed(0)
    x, t = torch.randn(1, 1, 96, 96), torch.tensor([3])
    far = x.clone()
    far[..., :8, :8] += 5
    for levels, reaches in ((0, False), (1, True), (2, True)):
        network = UNet(1, 8, (2, 4), 10, levels)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1  # one forward then gives statistics that keep signals alive
        with torch.no_grad():
            network(x, t)
            network.eval()
            change = (network(x, t) - network(far, t))[..., 90:, 90:].abs().max()
        assert (change > 0) == reaches
    one, two = count(UNet(attention_levels=1)), count(UNet(attention_levels=2))
    assert one - count(UNet()) == 2 * 128 + 4 * 128 * 128 + 128  # norm, q k v, out at 7x7
    assert two - one == 2 * (2 * 128 + 4 * 128 * 128 + 128)  # encoder and decoder at 14x14


def test_the_output_is_unbounded_and_told_by_the_time() -> None:
    torch.manual_seed(0)
    network = UNet(1, 8, timesteps=10).eval()
    x = torch.randn(2, 1, 8, 8)
    early, late = network(x, torch.tensor([0, 0])), network(x, torch.tensor([9, 9]))
    assert not torch.allclose(early, late)
    assert torch.allclose(network(x, torch.tensor([9])), late, atol=1e-6)  # one time for all
    network.head.bias.data += 100
    assert torch.allclose(network(x, torch.tensor([0, 0])), early + 100, atol=1e-4)


def test_times_outside_the_table_are_an_error() -> None:
    with pytest.raises(IndexError):
        UNet(1, 8, timesteps=10)(torch.randn(1, 1, 8, 8), torch.tensor([10]))


def test_the_output_is_float32_under_autocast_and_with_bf16_weights() -> None:
    torch.manual_seed(0)
    network = UNet(1, 8, timesteps=10, attention_levels=1).eval()
    x, t = torch.randn(2, 1, 16, 16), torch.tensor([1, 5])
    with torch.no_grad():
        exact = network(x, t)
        with torch.autocast("cpu", torch.bfloat16):
            cast = network(x, t)
        light = network.to(torch.bfloat16, memory_format=torch.channels_last)(x, t)
    for found in (cast, light):
        assert found.dtype == torch.float32
        assert torch.allclose(found, exact, atol=0.05)


def test_it_learns_to_tell_noise_from_a_image() -> None:
    torch.manual_seed(0)
    network = UNet(1, 16, timesteps=4, residual=True)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    clean = torch.zeros(16, 1, 8, 8)
    clean[..., 2:6, 2:6] = 1
    losses = []
    for _ in range(40):
        noise = torch.randn_like(clean)
        loss = (network(clean + noise, torch.zeros(16, dtype=torch.long)) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_residual_blocks_have_the_same_parameters_and_compute_something_else() -> None:
    torch.manual_seed(0)
    plain, residual = UNet(1, 8, timesteps=4), UNet(1, 8, timesteps=4, residual=True)
    residual.load_state_dict(plain.state_dict())  # the same names: no layer is added
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 2])
    assert not torch.allclose(plain(x, t), residual(x, t))
