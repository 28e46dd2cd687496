"""Losses, by hand."""

import math

import pytest
import torch

from inpainting.losses import absolute_error, adversarial, focal_frequency, squared_error


def pair() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    target = torch.zeros(2, 3, 4, 4)
    prediction = torch.full_like(target, 0.1)
    prediction[:, :, 0, 0] = 0.5
    weight = torch.zeros(2, 1, 4, 4)
    weight[:, :, 0, :2] = 1
    return prediction, target, weight


def test_errors_of_each_image_over_the_whole_and_over_a_region() -> None:
    prediction, target, weight = pair()
    assert torch.allclose(squared_error(prediction, target), torch.tensor((0.25 + 15 * 0.01) / 16))
    assert torch.allclose(
        squared_error(prediction, target, weight), torch.tensor((0.25 + 0.01) / 2)
    )
    assert torch.allclose(absolute_error(prediction, target), torch.tensor((0.5 + 1.5) / 16))
    assert torch.allclose(absolute_error(prediction, target, weight), torch.tensor(0.6 / 2))
    assert squared_error(prediction, target).shape == (2,)


def test_an_empty_region_costs_nothing() -> None:
    prediction, target, weight = pair()
    for loss in (squared_error, absolute_error, focal_frequency):
        assert (loss(prediction, target, weight * 0) == 0).all()


def test_a_soft_region_counts_in_proportion() -> None:
    prediction, target, weight = pair()
    weight[:, :, 0, 1] = 0.5
    expected = (0.25 + 0.5 * 0.01) / 1.5
    assert torch.allclose(squared_error(prediction, target, weight), torch.tensor(expected))


def test_adversarial_loss_of_a_discriminator_that_cannot_tell_is_ln_2() -> None:
    logits = torch.zeros(5)
    assert adversarial(logits, True).item() == pytest.approx(math.log(2))
    assert adversarial(logits, False).item() == pytest.approx(math.log(2))
    sure = torch.full((5,), 3.0)
    assert adversarial(sure, True).item() == pytest.approx(math.log(1 + math.exp(-3)), rel=1e-5)
    assert adversarial(sure, False).item() == pytest.approx(math.log(1 + math.exp(3)), rel=1e-5)


def test_focal_frequency_loss_by_hand() -> None:
    """On 2x2 pixels the spectrum is sums and differences, over 2 (orthonormal)."""
    difference = torch.tensor([[0.4, 0.0], [0.2, 0.2]])
    a, b, c, d = difference.flatten().tolist()
    spectrum = [(a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2]
    largest = max(abs(value) for value in spectrum)
    expected = sum(abs(value) / largest * value**2 for value in spectrum) / 4
    loss = focal_frequency(difference[None, None], torch.zeros(1, 1, 2, 2))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_no_gradient_goes_through_the_focus() -> None:
    prediction = torch.rand(1, 1, 4, 4, requires_grad=True)
    target = torch.rand(1, 1, 4, 4)
    focal_frequency(prediction, target).backward()
    spectrum = torch.fft.fft2(prediction.detach() - target, norm="ortho")
    focus = spectrum.abs() / spectrum.abs().amax()
    expected = 2 * torch.fft.ifft2(focus * spectrum, norm="ortho").real / 16
    assert torch.allclose(prediction.grad, expected, atol=1e-6)
