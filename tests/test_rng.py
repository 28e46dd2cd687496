"""Random numbers repeat, and each image has its own."""

import pytest
import torch

from inpainting.rng import image_generators, normal_, random_times, seed_from

CPU = torch.device("cpu")


def test_streams_of_different_numbers_are_different() -> None:
    seeds = {seed_from(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert seed_from(1, 2) == seed_from(1, 2) and all(0 <= seed < 2**63 for seed in seeds)


def test_a_images_noise_does_not_depend_on_its_batch() -> None:
    def noise(index: list[int], completions: int = 1) -> torch.Tensor:
        chance = image_generators(torch.tensor(index), CPU, 7, completions=completions)
        return normal_(torch.empty(len(chance), 3, 8, 8), chance)

    together, alone = noise([5, 2, 9]), noise([9])
    assert torch.equal(together[2], alone[0])
    assert not torch.equal(together[0], together[1])
    several = noise([5, 2], completions=2)
    assert torch.equal(several[0], together[0]) and torch.equal(several[2], together[1])
    assert not torch.equal(several[0], several[1])


def test_drawn_numbers_are_what_they_should_be() -> None:
    chance = image_generators(torch.arange(4000), CPU)
    times = random_times(10, 4000, CPU, chance)
    counts = times.bincount(minlength=10)
    assert times.dtype == torch.int64 and len(counts) == 10
    assert (counts - 400).abs().max() < 100  # five standard deviations
    noise = normal_(torch.empty(4000, 20), chance)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    with pytest.raises(ValueError, match="zip"):
        normal_(torch.empty(3, 2), chance[:2])
