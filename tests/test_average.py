"""The average of the weights."""

import copy

import pytest
import torch
from torch import nn

from inpainting.nn.average import Average, decay_after


def test_an_average_of_two_updates_is_that_computed_by_hand() -> None:
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average = Average(network)
    start = float(network[0].weight)
    for weight, mean in ((2.0, 1.0), (3.0, -1.0)):
        network[0].weight.data.fill_(weight)
        network[1].running_mean.fill_(mean)
        average.update(network, 0.9)
    expected = 0.9 * (0.9 * start + 0.1 * 2) + 0.1 * 3
    assert float(average.network[0].weight) == pytest.approx(expected, abs=1e-6)
    assert float(average.network[1].running_mean) == pytest.approx(0.9 * 0.1 - 0.1, abs=1e-6)
    assert average.network[1].num_batches_tracked == 0


def test_the_average_stays_in_evaluation_and_is_not_trained() -> None:
    average = Average(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    before = copy.deepcopy(average.state_dict())
    nn.Sequential(average).train()
    average(torch.randn(4, 1, 8, 8))
    assert not any(module.training for module in average.modules())
    assert not any(parameter.requires_grad for parameter in average.parameters())
    after = average.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_decay_starts_short() -> None:
    assert decay_after(0, 0.999) == pytest.approx(0.1)
    assert decay_after(90, 0.999) == pytest.approx(0.91)
    assert decay_after(10**6, 0.999) == 0.999
    assert decay_after(10**6, 0) == 0
