"""The metrics against hand-computed numbers, scikit-image, scipy and torchmetrics."""

import logging
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from completing import completed
from hydra.utils import instantiate
from scipy import stats
from skimage import data, metrics
from torch import nn
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance, NoTrainInceptionV3
from torchmetrics.image.kid import KernelInceptionDistance

from inpainting.errors import InputError
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric, SetMetric, columns_of, declared
from inpainting.metrics.columns import Column, as_plain, from_plain, leading
from inpainting.metrics.inception import InceptionDistances
from inpainting.metrics.intervals import paired_difference
from inpainting.metrics.lpips import LPIPS
from inpainting.metrics.pooled import PooledPSNR
from inpainting.metrics.reconstruction import Reconstruction
from inpainting.metrics.spread import Spread
from inpainting.metrics.ssim import structural_similarity
from inpainting.metrics.summary import means

RECONSTRUCTION = Reconstruction()
NO_HOLE = torch.zeros(1, 1, 16, 16)


def MEASURE(completion, image, mask):
    return RECONSTRUCTION.measure(completed(completion, image, mask))


def summarise(rows, mask):
    """The means, as validation and test take them."""
    return means(rows, columns_of([RECONSTRUCTION]), (mask > 0.5).sum((1, 2, 3)).numpy())


def pooled(*batches: Completed) -> float:
    metric = PooledPSNR()
    metric.reset(torch.device("cpu"))
    for batch in batches:
        metric.update(batch)
    return metric.compute()["psnr_hole_pooled"]


def photos(height: int, width: int, channels: int) -> torch.Tensor:
    """Four crops of a photograph, 8 bits."""
    photo = torch.from_numpy(data.astronaut())[..., :channels].permute(2, 0, 1) / 255
    return torch.stack([photo[:, 90 * i :, 70 * i :][:, :height, :width] for i in range(4)])


def noisy(image: torch.Tensor, amount: float = 0.1) -> torch.Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return ((image + amount * noise).clamp(0, 1) * 255).round() / 255


def box_mask(batch: int, side: int = 16) -> torch.Tensor:
    mask = torch.zeros(batch, 1, side, side)
    mask[:, :, 2:6, 3:11] = 1  # 32 pixels
    return mask


def test_l1_and_psnr_by_hand():
    image = torch.zeros(1, 3, 16, 16)
    completion = image.clone()
    completion[:, 0, 2, 3:11] = 51 / 255  # 0.2 in 8 of 256 pixels, in one of three channels
    values = MEASURE(completion, image, box_mask(1))
    assert values["l1"].item() == pytest.approx(0.2 * 8 / 768)
    assert values["l1_hole"].item() == pytest.approx(0.2 * 8 / 96)
    assert values["psnr"].item() == pytest.approx(-10 * np.log10(0.04 * 8 / 768), abs=1e-4)
    assert values["psnr_hole"].item() == pytest.approx(-10 * np.log10(0.04 * 8 / 96), abs=1e-4)
    whole = pooled(completed(completion, image, box_mask(1)))
    assert whole == pytest.approx(-10 * np.log10(0.04 * 8 / 96), abs=1e-4)
    # The local crop of 7x7 around the hole (rows 2 to 5, columns 3 to 10, which is wider than 7,
    # so around its middle) has row 2 whole.
    assert values["l1_local"].item() == pytest.approx(0.2 * 7 / 147)
    assert values["psnr_local"].item() == pytest.approx(-10 * np.log10(0.04 * 7 / 147), abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (28, 28), (11, 40), (97, 64)], ids=str)
def test_psnr_and_ssim_are_scikit_images(size, channels):
    image = photos(*size, channels)
    flat = torch.full_like(image, 230 / 255)  # flat and bright: rounding errors show there
    for completion in (noisy(image, 0.1), noisy(image, 0.01), flat, noisy(flat, 0.005)):
        values = MEASURE(completion, image, torch.zeros(4, 1, *size))
        for index in range(4):
            pair = completion[index].double().numpy(), image[index].double().numpy()
            ssim = metrics.structural_similarity(
                *pair,
                channel_axis=0,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            psnr = metrics.peak_signal_noise_ratio(*pair, data_range=1.0)
            assert values["ssim"][index].item() == pytest.approx(ssim, abs=1e-6)
            assert values["psnr"][index].item() == pytest.approx(psnr, abs=1e-4)


def test_the_ssim_map_is_torchmetrics_map_up_to_the_border():
    image = photos(40, 33, 3).double()
    completion = noisy(photos(40, 33, 3)).double()
    _, whole = structural_similarity_index_measure(
        completion, image, data_range=1.0, gaussian_kernel=True, sigma=1.5, return_full_image=True
    )
    assert torch.allclose(structural_similarity(completion, image), whole, atol=1e-9)


def test_ssim_in_the_hole_is_the_mean_of_the_map_there_also_at_the_border():
    image, mask = photos(32, 32, 3), torch.zeros(4, 1, 32, 32)
    mask[:, :, :3, 5:9] = 1
    completion = noisy(image)
    expected = structural_similarity(completion, image)[:, :, :3, 5:9].mean((1, 2, 3))
    assert torch.allclose(MEASURE(completion, image, mask)["ssim_hole"], expected.float())


def test_identical_images_have_100_db_and_ssim_1():
    image = photos(32, 32, 3)
    values = MEASURE(image, image, box_mask(4, 32))
    for name in ("psnr", "psnr_hole", "psnr_local"):
        assert (values[name] == 100).all()
    for name in ("ssim", "ssim_hole"):
        assert torch.allclose(values[name], torch.ones(4))


def test_what_is_outside_the_hole_does_not_change_the_hole_metrics():
    image, mask = photos(32, 32, 3), box_mask(4, 32)
    completion = noisy(image)
    elsewhere = torch.where(mask > 0, completion, 1 - completion)
    first, second = MEASURE(completion, image, mask), MEASURE(elsewhere, image, mask)
    for name in ("l1_hole", "psnr_hole"):
        assert torch.equal(first[name], second[name])
    assert not torch.equal(first["l1"], second["l1"])


def test_a_soft_mask_counts_as_hole_above_one_half():
    image = torch.zeros(1, 1, 16, 16)
    completion, mask = image.clone(), NO_HOLE.clone()
    mask[..., 0, 0], mask[..., 0, 1] = 0.5, 0.51
    completion[..., 0, 0], completion[..., 0, 1] = 1.0, 0.2
    assert MEASURE(completion, image, mask)["l1_hole"].item() == pytest.approx(0.2)


def test_completions_are_measured_as_they_would_be_saved():
    image = torch.full((1, 1, 16, 16), 100 / 255)
    assert MEASURE(image + 0.4 / 255, image, box_mask(1))["psnr"].item() == 100
    assert MEASURE(image + 0.6 / 255, image, box_mask(1))["l1"].item() == pytest.approx(1 / 255)


def test_each_image_is_measured_by_itself():
    image, mask = photos(32, 32, 3), box_mask(4, 32)
    mask[1] = 0
    mask[2, :, 20:30, 1:3] = 1
    completion = noisy(image)
    together = MEASURE(completion, image, mask)
    for i in range(4):
        alone = MEASURE(completion[i : i + 1], image[i : i + 1], mask[i : i + 1])
        for name, values in together.items():
            assert values.shape == (4,)
            assert values.dtype == torch.float32
            assert torch.allclose(values[i], alone[name][0], equal_nan=True), name


def test_images_without_a_hole_are_left_out_and_counted():
    image = photos(16, 16, 3)
    mask = torch.cat([NO_HOLE, box_mask(3)])
    rows = MEASURE(noisy(image), image, mask)
    for name in ("l1_hole", "psnr_hole", "ssim_hole"):
        assert rows[name].isnan().tolist() == [True, False, False, False]
    summary = summarise(rows, mask)
    assert summary["psnr_hole"] == pytest.approx(rows["psnr_hole"][1:].mean().item())
    assert summary["psnr"] == pytest.approx(rows["psnr"].mean().item())


def test_the_hole_error_of_a_set_is_pooled_over_its_pixels_in_any_batches():
    image = torch.zeros(4, 1, 16, 16)
    mask, completion = box_mask(4), image.clone()
    mask[0, :, 8:16] = 1  # of another size than the others: the mean of images is another number
    completion[0, :, 8:16], completion[1, :, 2:6, 3:11] = 51 / 255, 102 / 255
    expected = -10 * np.log10((128 * 0.2**2 + 32 * 0.4**2) / (160 + 3 * 32))
    batch = completed(completion, image, mask)
    assert pooled(batch) == pytest.approx(expected, abs=1e-5)
    assert pooled(batch[:1], batch[1:3], batch[4:], batch[3:]) == pytest.approx(expected, abs=1e-5)
    assert pooled(completed(image, image, mask)) == 100
    with torch.inference_mode():  # as in Lightning's test loop
        assert pooled(batch[:2], batch[2:]) == pytest.approx(expected, abs=1e-5)


def test_a_summary_without_any_hole_is_nan_not_an_error():
    image, mask = photos(16, 16, 1), torch.zeros(4, 1, 16, 16)
    summary = summarise(MEASURE(image, image, mask), mask)
    assert np.isnan(summary["psnr_hole"])
    assert np.isnan(pooled(completed(image, image, mask)))
    assert summary["psnr"] == 100


def test_a_broken_completion_does_not_vanish_from_the_means():
    image, mask = photos(16, 16, 3), box_mask(4)
    completion = image.clone()
    completion[0, 0, 3, 4] = float("nan")
    summary = summarise(MEASURE(completion, image, mask), mask)
    for name in ("l1", "l1_hole", "psnr_hole", "ssim"):
        assert np.isnan(summary[name]), name
    assert np.isnan(pooled(completed(completion, image, mask)))


def test_the_spread_is_the_deviation_of_several_completions_in_the_hole():
    image, mask = torch.zeros(1, 1, 16, 16), box_mask(1)
    several = torch.zeros(1, 3, 1, 16, 16)
    several[:, 1], several[:, 2] = 51 / 255, 102 / 255  # 0, 0.2 and 0.4: a deviation of 0.2
    several[:, :, :, 12:] = torch.rand(1, 3, 1, 4, 16)  # outside the hole
    values = Spread().measure(completed(several, image, mask))
    assert values["spread"].item() == pytest.approx(0.2)
    assert Spread().measure(completed(several, image, 0 * mask))["spread"].isnan().all()
    assert Spread().measure(completed(several[:, 0], image, mask)) == {}


def column(**changes) -> Column:
    details = {"name": "rmse", "heading": "RMSE", "digits": 3, "direction": "min"}
    return Column(**{**details, "scope": "hole", "truth": 0.0, "brief": True, **changes})


class RMSE(ImageMetric):
    """A metric that the framework has never heard of."""

    columns = (column(),)

    def measure(self, completed: Completed) -> dict[str, torch.Tensor]:
        return {"rmse": completed.index.float(), "mse": completed.index.float()}


def test_a_column_states_all_that_is_known_of_a_number():
    for missing in ("heading", "digits", "direction", "scope", "truth", "brief"):
        details = {k: v for k, v in vars(column()).items() if k != missing}
        with pytest.raises(TypeError, match=missing):
            Column(**details)
    for wrong in ({"direction": "lower"}, {"scope": "image"}):
        with pytest.raises(ValueError, match="rmse"):
            column(**wrong)
    assert column().text(0.12345) == "0.123" and column().text(0.1, signed=True) == "+0.100"
    assert column().text(float("nan")) == column().text(None) == ""


def test_columns_survive_being_written_down():
    columns = columns_of([RECONSTRUCTION, PooledPSNR(), Spread(), RMSE()])
    assert from_plain(as_plain(columns)) == columns
    assert [one.name for one in leading(columns)] == ["psnr_hole", "ssim_hole"]
    for broken in ([{"name": "rmse"}], [{**as_plain(columns)[0], "colour": "red"}]):
        with pytest.raises(TypeError):
            from_plain(broken)


def test_two_metrics_of_one_number_and_a_number_without_a_column_are_refused():
    with pytest.raises(InputError, match="two of them measure rmse"):
        columns_of([RMSE(), RMSE()])
    image = photos(16, 16, 1)
    with pytest.raises(ValueError, match="RMSE measured mse, which its columns do not declare"):
        declared(RMSE(), RMSE().measure(completed(image, image, box_mask(4))))


def test_the_paired_interval_is_scipys():
    rng = np.random.default_rng(0)
    a = rng.normal(20, 3, 30)
    b = a + rng.normal(0.5, 1, 30)
    b[4] = np.nan
    interval = stats.ttest_rel(a, b, nan_policy="omit").confidence_interval(0.95)
    kept = ~np.isnan(b)
    expected = ((a - b)[kept].mean(), interval.low, interval.high)
    assert paired_difference(a, b) == pytest.approx(expected)


def test_the_paired_interval_of_too_few_images_is_nan():
    assert paired_difference(np.array([3.0]), np.array([1.0]))[0] == 2
    assert np.isnan(paired_difference(np.array([3.0]), np.array([1.0]))[1:]).all()
    assert np.isnan(paired_difference(np.array([np.nan]), np.array([1.0]))).all()
    assert paired_difference(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == (2, 2, 2)


def test_images_smaller_than_the_window_and_bad_shares_say_what_to_type():
    small = torch.zeros(1, 3, 10, 64)
    with pytest.raises(InputError, match="at least 11 px, not 10x64"):
        MEASURE(small, small, small[:, :1])
    with pytest.raises(InputError, match="metrics.reconstruction.local_share=0"):
        Reconstruction(local_share=0)


@pytest.mark.parametrize("name", ["default", "perceptual", "labels", "[labels,perceptual]"])
def test_every_yaml_gives_metrics_and_states_every_knob(composed, name):
    config = composed(f"metrics={name}").metrics
    metrics = instantiate(config, _convert_="all")
    assert list(metrics)[:3] == ["reconstruction", "pooled", "spread"]
    assert ("lpips" in metrics, "frechet" in metrics) == ("perceptual" in name, "labels" in name)
    columns_of(metrics.values())
    for key, metric in metrics.items():
        assert isinstance(metric, ImageMetric | SetMetric)
        assert all((one.scope == "set") == isinstance(metric, SetMetric) for one in metric.columns)
        assert set(config[key]) - {"_target_"} == set(signature(type(metric)).parameters)


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory) -> tuple[str, nn.Module]:
    """A file as torchvision's, with random features and zeros, which take no room."""
    torch.manual_seed(0)
    network = torchvision.models.alexnet(weights=None).eval()
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    weights = {
        k: v if k.startswith("features.") else torch.zeros(1).expand(v.shape)
        for k, v in network.state_dict().items()
    }
    torch.save(weights, path)
    return str(path), network.features


@torch.no_grad()
def lpips_by_hand(features: nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Zhang et al. 2018, eq. 1, with the linear layers of the official release, version 0.1."""
    from torchmetrics.functional.image import lpips

    linear = torch.load(Path(lpips.__file__).parent / "lpips_models" / "alex.pth", "cpu")
    mean, deviation = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    a, b = (torchvision.transforms.functional.normalize(x, mean, deviation) for x in (a, b))
    distance = 0
    for index, layer in enumerate(features):
        a, b = layer(a), layer(b)
        if isinstance(layer, nn.ReLU):
            unit = [x / x.norm(dim=1, keepdim=True) for x in (a, b)]
            weight = linear[f"lin{[1, 4, 7, 9, 11].index(index)}.model.1.weight"]
            distance = distance + ((unit[0] - unit[1]) ** 2 * weight).sum(1).mean((1, 2))
    return distance


def test_lpips_is_the_papers_formula_on_the_weights_of_the_file(alexnet):
    path, features = alexnet
    collection, image = LPIPS(weights=path), photos(64, 80, 3)
    got = collection.measure(completed(noisy(image), image, torch.zeros(4, 1, 64, 80)))["lpips"]
    assert torch.allclose(got, lpips_by_hand(features, noisy(image), image), rtol=1e-3)
    assert (got > 1e-4).all()
    assert not any(p.requires_grad for p in collection._lpips.parameters())
    assert not collection._lpips.training


@pytest.mark.parametrize("channels", [1, 3])
def test_identical_images_have_lpips_0_at_any_size(alexnet, channels):
    metric = LPIPS(weights=alexnet[0])
    for size in ((28, 28), (20, 70), (64, 64)):
        image = photos(*size, channels)[:1]
        mask = torch.zeros(1, 1, *size)
        assert metric.measure(completed(image, image, mask))["lpips"].tolist() == [0]
        assert metric.measure(completed(noisy(image), image, mask))["lpips"] > 0


def test_building_the_networks_draws_nothing_from_the_trainings_chance(alexnet):
    image = photos(64, 64, 3)
    metric = LPIPS(weights=alexnet[0])
    torch.manual_seed(0)
    metric.measure(completed(image, image, torch.zeros(4, 1, 64, 64)))
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(3))


def test_without_weights_a_line_says_what_to_fetch_and_the_rest_is_measured(caplog):
    with caplog.at_level(logging.WARNING):
        lpips, inception = LPIPS(), InceptionDistances()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2 and not any("\n" in message for message in messages)
    for word in ("alexnet-owt", "metrics.lpips.weights", "metrics.lpips.download=true"):
        assert word in messages[0]
    for word in ("inception", "metrics.inception.weights", "metrics.inception.download=true"):
        assert word in messages[1]
    image = photos(32, 32, 3)
    batch = completed(noisy(image), image, box_mask(4, 32))
    assert lpips.measure(batch) == {}
    inception.reset(torch.device("cpu"))
    inception.update(batch)
    assert inception.compute() == {}


def test_broken_weights_say_which_file(tmp_path):
    with pytest.raises(InputError, match="metrics.lpips.weights=nowhere.pth is not a file"):
        LPIPS(weights="nowhere.pth")
    with pytest.raises(InputError, match="metrics.lpips.network=resnet"):
        LPIPS(network="resnet")
    image = photos(32, 32, 3)
    batch = completed(image, image, torch.zeros(4, 1, 32, 32))
    (tmp_path / "text.pth").write_text("not weights")
    (tmp_path / "empty.pth").touch()
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("text.pth", "empty.pth", "other.pth"):
        path = str(tmp_path / name)
        with pytest.raises(InputError, match=name):
            LPIPS(weights=path).measure(batch)
        with pytest.raises(InputError, match=name):
            InceptionDistances(weights=path).update(batch)


@pytest.fixture(scope="module")
def inception(tmp_path_factory) -> str:
    """A file as torch-fidelity's, but with random weights.

    One pass sets the batch norms; without it the features of all images are nearly the same.
    """

    class Untrained(NoTrainInceptionV3):
        def load_state_dict(self, *_, **__):
            pass

    path = str(tmp_path_factory.mktemp("inception") / "inception.pth")
    torch.save({}, path)
    torch.manual_seed(0)
    network = Untrained("inception-v3-compat", ["2048"], path)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    nn.Module.train(network, True)
    image = photos(48, 48, 3)
    network((torch.cat([image, noisy(image, 0.3)]) * 255).to(torch.uint8))
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.slow
def test_fid_and_kid_of_a_set_in_batches_are_torchmetrics_of_it_at_once(inception):
    metric = InceptionDistances(weights=inception, kid_subsets=5, kid_subset_size=4)
    image = torch.cat([photos(48, 48, 3), photos(48, 48, 3).flip(3)])
    completion = noisy(image, 0.3)
    whole = completed(completion, image, torch.zeros(8, 1, 48, 48))
    cpu = torch.device("cpu")
    with torch.inference_mode():  # as in Lightning's test loop
        metric.reset(cpu)
        metric.update(completed(image, image, torch.zeros(8, 1, 48, 48)))
        metric.reset(cpu)
        metric.update(whole[:3])
        metric.update(whole[8:])  # of which nothing was to be kept
    metric.update(whole[3:5])
    got = metric.compute()

    fid = FrechetInceptionDistance(feature_extractor_weights_path=inception)
    kid = KernelInceptionDistance(fid.inception, subsets=200, subset_size=4)
    for images, real in ((image[:5], True), (completion[:5], False)):
        levels = (images * 255).round().to(torch.uint8)
        fid.update(levels, real=real)
        kid.update(levels, real=real)
    assert got["fid"] > 0.1
    assert got["fid"] == pytest.approx(fid.compute().item(), rel=1e-4)
    mean, deviation = kid.compute()
    assert abs(got["kid"] - mean) <= 2 * deviation
    assert metric.compute() == got
    metric.reset(cpu)
    assert np.isnan(metric.compute()["fid"])
    metric.update(completed(completion * torch.nan, image, torch.zeros(8, 1, 48, 48)))
    assert np.isnan(metric.compute()["fid"]) and np.isnan(metric.compute()["kid"])


@pytest.mark.slow
def test_greyscale_sets_and_sets_smaller_than_a_subset_are_measured(inception):
    metric, image = InceptionDistances(weights=inception), photos(28, 28, 1)
    metric.update(completed(image, image, torch.zeros(4, 1, 28, 28)))
    assert metric.compute()["fid"] == pytest.approx(0, abs=1e-3)


def test_download_takes_what_is_in_torch_hubs_cache(alexnet, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "alexnet-owt-7be5be79.pth").write_bytes(Path(alexnet[0]).read_bytes())
    image = photos(64, 64, 3)
    batch = completed(noisy(image), image, torch.zeros(4, 1, 64, 64))
    with caplog.at_level(logging.WARNING):
        downloaded = LPIPS(download=True).measure(batch)["lpips"]
    assert not caplog.records
    assert torch.equal(downloaded, LPIPS(weights=alexnet[0]).measure(batch)["lpips"])


def test_a_failed_download_leaves_lpips_out_and_the_run_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "alexnet-owt-7be5be79.pth").write_text("half a download")
    metric, image = LPIPS(download=True), photos(32, 32, 3)
    for _ in range(2):
        assert metric.measure(completed(image, image, box_mask(4, 32))) == {}
    assert len(caplog.records) == 1
