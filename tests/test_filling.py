"""The Python interface: load a method by name, fill arrays, PIL images and files, watch it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import small
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from PIL import Image

import inpainting
from inpainting.errors import InputError
from inpainting.filling.filler import Filler
from inpainting.images.hole_edges import HoleEdges
from inpainting.tasks.build import build


def picture(height: int = 40, width: int = 50, channels: int = 3, dtype=np.uint8) -> np.ndarray:
    values = np.random.default_rng(7).random((height, width, channels))
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


HOLE = np.zeros((40, 50), bool)
HOLE[10:22, 12:30] = True


@pytest.fixture(scope="module")
def glcic(trained: Path) -> Filler:
    return inpainting.load(trained, device="cpu")


@pytest.fixture
def diffusion(composed: Callable) -> Filler:
    """An untrained diffusion model for grey images of 28 px, whose walk takes 7 calls."""
    torch.manual_seed(0)
    typed = [text for text in small("ddpm") if not text.startswith("data")]
    return Filler(build(composed(*typed, "data=digits").model), "ddpm", "cpu")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_arrays_come_back_as_they_were_given_but_for_the_hole(
    glcic: Filler, dtype: type, channels: int | None
) -> None:
    image = picture(channels=channels or 1, dtype=dtype)
    image = image[..., 0] if channels is None else image
    before = image.copy()
    filled = glcic.fill(image, HOLE)
    assert filled.dtype == image.dtype and filled.shape == image.shape
    np.testing.assert_array_equal(image, before)  # what is given stays as it is
    np.testing.assert_array_equal(filled[~HOLE], image[~HOLE])
    colours = filled[HOLE].reshape(HOLE.sum(), -1)[:, : 3 if (channels or 1) > 2 else 1]
    assert (colours != image[HOLE].reshape(HOLE.sum(), -1)[:, : colours.shape[1]]).mean() > 0.9


def test_all_kinds_of_one_image_are_filled_alike(glcic: Filler, tmp_path: Path) -> None:
    image = picture()
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray(HOLE).save(tmp_path / "mask.png")
    filled = glcic.fill(image, HOLE)
    from_pil = glcic.fill(Image.fromarray(image), Image.fromarray(HOLE))
    from_path = glcic.fill(str(tmp_path / "image.png"), tmp_path / "mask.png")
    from_grey = glcic.fill(image, np.where(HOLE, 255, 0).astype(np.uint8))
    black = glcic.fill(image, ~HOLE, mask_hole="black")
    for other in (from_pil, from_path, from_grey, black):
        np.testing.assert_array_equal(np.asarray(other), filled)
    assert isinstance(from_pil, Image.Image) and isinstance(from_path, Image.Image)
    floats = glcic.fill(image / 255, HOLE)
    np.testing.assert_allclose(floats * 255, filled, atol=0.51)


def test_what_a_float_image_has_in_its_hole_is_not_looked_at(glcic: Filler) -> None:
    image = picture(dtype=np.float64)
    missing = np.where(HOLE[..., None], np.nan, image)
    np.testing.assert_array_equal(glcic.fill(missing, HOLE), glcic.fill(image, HOLE))


def test_loading_leaves_hydra_as_it_was(composed: Callable) -> None:
    outer, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    inpainting.load("telea")
    with pytest.raises(InputError):
        inpainting.load("telea", overrides=["model.algorithm=magic"])
    assert GlobalHydra.instance().hydra is outer and HydraConfig.instance().cfg is config


def test_a_run_is_described(glcic: Filler, diffusion: Filler) -> None:
    assert (glcic.name, glcic.channels, glcic.side, glcic.stochastic) == ("glcic", 3, 32, False)
    assert glcic.attributes == [] and glcic.network_calls is None
    assert (diffusion.channels, diffusion.stochastic, diffusion.network_calls) == (1, True, 7)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"image": picture().astype(np.int32)}, "array (40, 50, 3) of int32"),
        ({"image": picture(channels=5)}, "array (40, 50, 5)"),
        ({"image": picture(dtype=np.float32) * 255}, "floats run from"),
        ({"image": None}, "NoneType"),
        ({"mask": HOLE[:20]}, "the mask is 50x20, but the image is 50x40"),
        ({"mask": HOLE.astype(np.uint8)}, "0 and 1 where white is 255"),
        ({"mask": np.ones_like(HOLE)}, "covers the whole image"),
        ({"mask": HOLE * 7.0}, "floats run from 0 to 7"),
        ({"mask": "nothing.png"}, "nothing.png does not exist"),
        ({"attributes": {"smiling": 1}}, "trained without attributes"),
        ({"samples": 0}, "samples=0: type a whole number, 1 or more"),
        ({"seed": -1}, "seed=-1"),
        ({"dilate": 1.5}, "dilate=1.5"),
        ({"feather": -1}, "feather=-1"),
        ({"mask_threshold": 1}, "mask_threshold=1"),
        ({"blend": "mix"}, "blend=mix: type paste or poisson"),
    ],
    ids=str,
)
def test_what_cannot_be_filled_is_named(glcic: Filler, given: dict, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        glcic.fill(**{"image": picture(), "mask": HOLE, **given})
    assert sentence in str(raised.value)


def test_samples_follow_from_their_seeds(diffusion: Filler) -> None:
    image, hole = picture(28, 28, 1)[..., 0], HOLE[:28, :28]
    samples = diffusion.fill(image, hole, samples=3, seed=5)
    again = diffusion.fill(image, hole, seed=6)
    assert len(samples) == 3 and not np.array_equal(samples[0], samples[1])
    assert np.abs(samples[1].astype(int) - again).max() <= 1  # to within rounding
    np.testing.assert_array_equal(again[~hole], image[~hole])


def test_a_method_without_chance_fills_once_for_all_samples(glcic: Filler) -> None:
    first, second = glcic.fill(picture(), HOLE, samples=2)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [(28, 28), (60, 90)])
def test_each_network_call_is_told_and_the_last_estimate_is_nearly_the_result(
    diffusion: Filler, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpainting.filling.progress.SECONDS_BETWEEN_ESTIMATES", 0)
    image, told = picture(*size, 1)[..., 0], []
    hole = np.zeros(size, bool)
    hole[8:16, 8:16] = hole[-5:, -7:] = True  # two windows in the larger image
    filled = diffusion.fill(image, hole, on_progress=lambda *what: told.append(what))
    assert [done for done, _, _ in told] == list(range(1, 8))
    assert {total for _, total, _ in told} == {7}
    for _, _, estimate in told:
        np.testing.assert_array_equal(estimate[~hole], image[~hole])
    # The walk ends at its last estimate of x_0.
    np.testing.assert_allclose(told[-1][2].astype(int), filled.astype(int), atol=1)


def test_samples_beyond_one_batch_are_counted_and_shown(
    diffusion: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpainting.filling.filler.PIXELS_AT_ONCE", 28 * 28)
    image, hole, told = picture(28, 28, 1)[..., 0], HOLE[:28, :28], []
    samples = diffusion.fill(image, hole, samples=2, on_progress=lambda *what: told.append(what))
    assert [done for done, _, _ in told] == list(range(1, 15))
    assert {total for _, total, _ in told} == {14}
    shown = told[-1][2]
    assert len(shown) == 2
    np.testing.assert_array_equal(shown[0], samples[0])


def test_what_watches_can_cancel(diffusion: Filler) -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int, estimate: object) -> None:
        if done == 3:
            raise Cancelled

    image, hole = picture(28, 28, 1), HOLE[:28, :28]
    with pytest.raises(Cancelled):
        diffusion.fill(image, hole, on_progress=cancel)
    np.testing.assert_array_equal(  # and the next is as if nothing had happened
        diffusion.fill(image, hole), diffusion.fill(image, hole)
    )


def test_a_hole_grows_by_so_many_pixels() -> None:
    mask = torch.zeros(1, 1, 21, 21)
    mask[..., 10, 10] = 1
    grown = HoleEdges(dilate=3)(mask)
    assert grown[0, 0, 10].tolist() == [0.0] * 7 + [1.0] * 7 + [0.0] * 7
    assert torch.equal(grown, grown.transpose(2, 3))


def test_a_feathered_hole_fades_over_so_many_pixels_outside() -> None:
    mask = torch.zeros(1, 1, 5, 20)
    mask[..., :8] = 1
    feathered = HoleEdges(feather=3)(mask)[0, 0, 2]
    torch.testing.assert_close(feathered[:12], torch.tensor([1.0] * 8 + [0.75, 0.5, 0.25, 0]))
    empty = torch.zeros(1, 1, 5, 5)
    assert torch.equal(HoleEdges(feather=3, dilate=2)(empty), empty)


def test_feathering_blends_only_a_ring(glcic: Filler) -> None:
    image = picture()
    filled = glcic.fill(image, HOLE, feather=2)
    grown = HoleEdges(dilate=3)(torch.from_numpy(HOLE).float()[None, None])[0, 0].numpy() > 0
    np.testing.assert_array_equal(filled[~grown], image[~grown])
    assert (filled != image)[grown & ~HOLE].mean() > 0.3


def test_poisson_blending_leaves_no_step_at_the_edge() -> None:
    """A mean fill of a ramp has steps at both ends; blended, it follows the ramp."""
    ramp = np.repeat(np.linspace(0.2, 0.8, 50)[None], 40, 0)
    method = inpainting.load("mean_fill", overrides=["data.channels=1"])
    hole = np.zeros((40, 50), bool)
    hole[10:30, 15:35] = True
    pasted = method.fill(ramp, hole)
    blended = method.fill(ramp, hole, blend="poisson")
    np.testing.assert_array_equal(blended[~hole], ramp[~hole])
    assert np.abs(pasted - ramp).max() > 0.1
    assert np.abs(blended - ramp).max() < 0.02
