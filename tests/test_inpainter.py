"""The contract every method keeps, for every model of conf/model."""

from pathlib import Path

import pytest
import torch
from conftest import SMALL
from hydra.utils import instantiate

from inpainting import CONF
from inpainting.methods.base import Inpainter
from inpainting.rng import image_generators

MODELS = sorted(path.stem for path in (Path(CONF) / "model").glob("*.yaml"))
SIZE = 32


@pytest.fixture(params=MODELS)
def method(request, composed) -> Inpainter:
    torch.manual_seed(0)
    data = [f"data.image_size={SIZE}", "data.channels=3"]
    config = composed(f"model={request.param}", *data, *SMALL.get(request.param, []))
    return instantiate(config.model, _convert_="all").eval()


def images(height: int = SIZE, width: int = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, height, width, generator=generator)
    mask = torch.zeros(2, 1, height, width)
    mask[0, :, 4:12, 5:15] = 1
    mask[1, :, height // 2 :, : width // 2] = 1
    mask[:, :, 3, 5:15] = 0.5  # a soft edge
    return image, mask


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_a_method_cannot_look_inside_the_hole(method: Inpainter) -> None:
    image, mask = images()
    scrambled = torch.where(mask > 0, torch.rand_like(image), image)
    one = method.predict_any_size(image, mask, None, chance(), 1)
    two = method.predict_any_size(scrambled, mask, None, chance(), 1)
    assert torch.equal(one, two)
    hard = (mask == 1).float()
    assert torch.equal(
        method.complete(image, hard, generator=chance()),
        method.complete(
            torch.where(hard > 0, torch.full_like(image, float("nan")), image),
            hard,
            generator=chance(),
        ),
    )


def test_known_pixels_come_back_exactly_and_holes_are_filled(method: Inpainter) -> None:
    image, mask = images()
    completion = method.complete(image, mask, generator=chance(), num_completions=2)
    assert completion.shape == (2, 2, 3, SIZE, SIZE)
    known = (mask == 0).expand_as(image)
    for k in range(2):
        assert torch.equal(completion[:, k][known], image[known])
        assert (completion[:, k][~known] != image[~known]).any()
    assert completion.isfinite().all() and completion.min() >= 0 and completion.max() <= 1


def test_a_mask_of_a_half_is_half_the_prediction(method: Inpainter) -> None:
    image, mask = images()
    prediction = method.predict_any_size(image, mask, None, chance(), 1)[:, 0]
    completion = method.complete(image, mask, generator=chance())[:, 0]
    soft = (mask == 0.5).expand_as(image)
    assert torch.allclose(completion[soft], (prediction[soft] + image[soft]) / 2)


def test_without_a_hole_the_image_comes_back(method: Inpainter) -> None:
    image, mask = images()
    empty = torch.zeros_like(mask)
    assert torch.equal(method.complete(image, empty, generator=chance())[:, 0], image)


@pytest.mark.parametrize("size", [(20, 30), (33, 47), (32, 64), (100, 70), (5, 200)])
def test_any_size_comes_back_in_its_size(method: Inpainter, size: tuple[int, int]) -> None:
    image, mask = images(*size)
    completion = method.complete(image, mask, generator=chance())[:, 0]
    assert completion.shape == image.shape and completion.isfinite().all()
    known = (mask == 0).expand_as(image)
    assert torch.equal(completion[known], image[known])
    scrambled = torch.where(mask > 0, torch.rand_like(image), image)
    again = method.complete(scrambled, (mask > 0).float(), generator=chance())[:, 0]
    once = method.complete(image, (mask > 0).float(), generator=chance())[:, 0]
    assert torch.equal(again, once)


@pytest.mark.parametrize("size", [(SIZE, SIZE), (40, 50)])
def test_images_of_a_batch_do_not_depend_on_each_other(
    method: Inpainter, size: tuple[int, int]
) -> None:
    image, mask = images(*size)

    def completion(first: int, last: int) -> torch.Tensor:
        index = torch.arange(first, last)
        own = image_generators(index, torch.device("cpu"), completions=2)
        part = slice(first, last)
        return method.complete(image[part], mask[part], generator=own, num_completions=2)

    both = completion(0, 2)
    assert torch.allclose(both[:1], completion(0, 1), atol=1e-4)
    assert torch.allclose(both[1:], completion(1, 2), atol=1e-4)


def test_windows_of_all_splits_go_through_the_network_together(method: Inpainter) -> None:
    if method.fixed_size is None:
        pytest.skip("it takes any size")
    image, mask = images(2 * SIZE, 3 * SIZE)
    batches = []
    predict = method.predict
    method.predict = lambda image, *rest: batches.append(len(image)) or predict(image, *rest)
    completion = method.complete(image.repeat(3, 1, 1, 1), mask.repeat(3, 1, 1, 1))
    assert len(batches) == 1 and batches[0] >= 6
    assert completion.shape == (6, 1, *image.shape[1:])


def test_validation_calls_the_network_once_for_a_batch(method: Inpainter) -> None:
    """Its loss and its completion share a prediction; the loss of a DDPM is another question."""
    calls = []
    for network in method.children():
        network.register_forward_hook(lambda *_: calls.append(1))
    batch = dict(zip(("image", "mask"), images(), strict=True), index=torch.arange(2))
    with torch.no_grad():
        outputs = method.validation_step(batch, 0)
        if method.trained and not method.stochastic:
            assert len(calls) == 1
            prediction = outputs.completed.prediction[:, 0]
            assert torch.equal(outputs.loss, method.evaluation_loss(batch, prediction, None))
            method.val_completions = 1  # the loss is still about all of them
            part = method.validation_step(batch, 0)
            assert len(calls) == 2 and len(part.completed) == 1
            assert torch.equal(part.loss, outputs.loss)
    assert outputs.completed.prediction[:, 0].shape == batch["image"].shape


def test_a_fully_convolutional_network_pads_what_it_must(composed) -> None:
    config = composed("model=glcic", "model.width=4", "model.fixed_size=null")
    method = instantiate(config.model, _convert_="all").eval()
    image, mask = images(33, 47)
    completion = method.complete(image, mask)[:, 0]
    assert completion.shape == image.shape
    padded = torch.nn.functional.pad(image, (0, 1, 0, 3), mode="reflect")
    padded_mask = torch.nn.functional.pad(mask, (0, 1, 0, 3), mode="reflect")
    expected = method.complete(padded, padded_mask)[:, 0, :, :33, :47]
    assert torch.equal(completion, expected)


def test_the_wrong_number_of_channels_is_refused(method: Inpainter) -> None:
    with pytest.raises(ValueError, match="takes"):
        method.complete(torch.rand(1, 1, SIZE, SIZE), torch.zeros(1, 1, SIZE, SIZE))


def test_mean_fill_is_the_mean_of_the_known_pixels(composed) -> None:
    method = instantiate(composed("model=mean_fill").model)
    image, mask = images()
    completion = method.complete(image, (mask > 0).float())[0, 0]
    known = image[0][:, mask[0, 0] == 0]
    assert torch.allclose(completion[:, 6, 7], known.mean(1))


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1)])
def test_a_classical_fill_of_a_line_repeats_and_reads_nothing_beyond_it(composed, shape) -> None:
    image, mask = torch.rand(1, 1, *shape), torch.zeros(1, 1, *shape)
    mask.view(-1)[: max(1, mask.numel() // 4)] = 1
    for name in ("telea", "navier_stokes"):
        method = instantiate(composed(f"model={name}", "data=digits").model)
        fills = set()
        for value in range(40):  # what lies beyond the image differs
            for size in (shape[0] * shape[1], 3 * shape[1] + 6, 1000):
                torch.full((size,), value, dtype=torch.uint8).numpy().copy()
            fills.add(method.complete(image, mask).numpy().tobytes())
        assert len(fills) == 1


@pytest.mark.parametrize("name", ["telea", "navier_stokes"])
def test_classical_fills_continue_what_surrounds_the_hole(composed, name: str) -> None:
    method = instantiate(composed(f"model={name}").model)
    ramp = torch.linspace(0, 1, SIZE).expand(1, 3, SIZE, SIZE).clone()
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., 12:18, 12:18] = 1
    error = (method.complete(ramp, mask)[:, 0] - ramp).abs()
    assert error.max() < 0.08  # a mean fill is off by up to 0.13
