"""The networks of GLCIC, to the parameter."""

import pytest
import torch

from inpainting.nn.glcic import CompletionNetwork, ContextDiscriminator


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_are_the_reports() -> None:
    generator, discriminator = count(CompletionNetwork(3)), count(ContextDiscriminator())
    assert (generator, discriminator) == (4_889_347, 29_332_993)
    assert generator + discriminator == 34_222_340
    assert count(CompletionNetwork(4)) + discriminator == 34_223_940
    assert count(CompletionNetwork(3, dilations=(2, 4, 8))) + discriminator == 33_631_748


def test_parameter_counts_of_the_later_structure() -> None:
    later = CompletionNetwork(3, dilations=(1, 2, 4, 8), bottleneck_convs=1)
    assert count(later) == 4_298_755
    assert count(CompletionNetwork(3, dilations=(1, 2, 4), bottleneck_convs=1)) == 3_708_163
    assert count(ContextDiscriminator(head="later")) == 25_660_929
    assert count(ContextDiscriminator(head="later_pool")) == 24_349_185


@pytest.mark.parametrize("dilations", [(2,), (2, 4), (2, 4, 8), (2, 4, 8, 16)])
def test_generator_takes_any_multiple_of_four_and_returns_images(dilations: tuple) -> None:
    network = CompletionNetwork(4, width=4, dilations=dilations)
    for size in ((32, 32), (64, 48), (28, 28)):
        out = network(torch.rand(2, 4, *size))
        assert out.shape == (2, 3, *size)
        assert out.min() >= 0 and out.max() <= 1


def test_a_residual_network_starts_from_its_input_image() -> None:
    network = CompletionNetwork(4, width=4, residual=True)
    x = torch.rand(2, 4, 16, 20)
    assert torch.equal(network(x), x[:, :3])
    network.layers[-1].bias.data.fill_(0.25)
    torch.testing.assert_close(network(x), x[:, :3] + 0.25)


def test_skips_bring_the_encoders_maps_to_the_decoder_and_no_parameter() -> None:
    torch.manual_seed(0)
    plain, skipping = CompletionNetwork(4, width=4), CompletionNetwork(4, width=4, skips=True)
    assert count(plain) == count(skipping)
    for network in (plain, skipping):  # nothing passes the bottleneck any more
        network.eval()
        deepest = network.layers[9]
        torch.nn.init.zeros_(deepest.weight)
    one, two = torch.rand(2, 1, 4, 16, 16)
    assert torch.equal(plain(one), plain(two))
    assert not torch.allclose(skipping(one), skipping(two))


@pytest.mark.parametrize("head", ["flatten", "later", "later_pool"])
def test_the_maps_of_a_discriminator_lead_to_its_logits(head: str) -> None:
    network = ContextDiscriminator(3, 32, 14, width=4, head=head).eval()
    images = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 14, 14)
    maps, features = network.maps(*images)
    torch.testing.assert_close(network.logits(features), network(*images))
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert [one.shape[1] for one in maps] == [norm.num_features for norm in norms]


@pytest.mark.parametrize("head", ["flatten", "later", "later_pool"])
@pytest.mark.parametrize(("image_size", "local_size"), [(64, 28), (28, 12), (100, 44)])
def test_discriminator_takes_any_size(head: str, image_size: int, local_size: int) -> None:
    network = ContextDiscriminator(1, image_size, local_size, width=4, head=head)
    logits = network(
        torch.rand(3, 1, image_size, image_size), torch.rand(3, 1, local_size, local_size)
    )
    assert logits.shape == (3,)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ValueError, match="later_pool"):
        ContextDiscriminator(head="gap")


@pytest.mark.parametrize("head", ["flatten", "later", "later_pool"])
@pytest.mark.parametrize("size", [16, 28, 32])
def test_bf16_gradients_are_whole_on_small_splits(head: str, size: int) -> None:
    """Torch leaves gradients of kernels on 1x1 maps uninitialised in bf16 on some CPUs."""
    torch.manual_seed(0)
    local = max(4, round(size * 28 / 64))
    network = ContextDiscriminator(3, size, local, width=4, head=head)
    images = torch.rand(8, 3, size, size), torch.rand(8, 3, local, local)
    gradients = []
    for _ in range(3):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            network(*images).float().square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert torch.equal(gradients[0], gradients[1]) and torch.equal(gradients[0], gradients[2])
