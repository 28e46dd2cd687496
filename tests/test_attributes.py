"""What a judge sees: steering, flips, drift, and the distance in its features; sharpness."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from completing import completed
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.images.evaluated import Completed
from inpainting.metrics.attributes import AttributeFlips, AttributeSteering
from inpainting.metrics.feature_distances import KernelDistance
from inpainting.metrics.sharpness import Sharpness, laplacian


class Channels(nn.Module):
    """Sees attribute k in an image whose channel k is bright; the features are the means."""

    num_features = 3

    def features(self, image: Tensor) -> Tensor:
        return image.mean((2, 3))

    def forward(self, image: Tensor) -> Tensor:
        return self.features(image) - 0.5


def flat(*colours: tuple[float, float, float]) -> Tensor:
    """Images of one colour each, (N, 3, 8, 8)."""
    return (
        torch.tensor(colours, dtype=torch.float32)
        .view(-1, 3, 1, 1)
        .expand(-1, 3, 8, 8)
        .contiguous()
    )


def data(*told: str) -> SimpleNamespace:
    split = SimpleNamespace(attribute_names=("Red", "Green", "Blue"), attributes=np.ones((1, 3)))
    return SimpleNamespace(attributes=list(told), datasets={"test": SimpleNamespace(split=split)})


PLAIN = SimpleNamespace(attributes=None, attribute_names=())


def prepared(metric, *told: str):
    metric = metric(lambda _: Channels())
    metric.prepare(data(*told))
    return metric


def evaluated(image: Tensor, own: list, first: Tensor, *ways: tuple[Tensor, Tensor]) -> Completed:
    """Completions whose mask is the left half; a pair of ways for each attribute."""
    mask = torch.zeros(len(image), 1, 8, 8)
    mask[..., :4] = 1
    return Completed(
        index=torch.arange(len(image)),
        image=image,
        mask=mask,
        prediction=first[:, None],
        completion=first[:, None],
        attributes=torch.tensor(own, dtype=torch.float32).view(len(image), -1),
        ways=torch.stack([torch.stack(pair, 1) for pair in ways], 1) if ways else None,
    )


def test_steering_and_drift_have_the_values_counted_by_hand() -> None:
    image = flat((1, 0, 0), (0, 0, 1))  # red, blue
    off = flat((0, 0, 0), (0, 0, 1))  # asked to lack red: both do
    on = flat((1, 0, 0), (0, 1, 1))  # asked to show red: the second turns green instead
    batch = evaluated(image, [1, 0], flat((1, 0, 0), (1, 0, 1)), (off, on))
    found = prepared(AttributeSteering, "red").measure(batch)
    values = {name: values.tolist() for name, values in found.items()}
    assert values.pop("drift") == pytest.approx([0, 0.5])  # of green and blue
    # outside the hole the first loses its red channel, the second gains a green one
    assert values.pop("change") == pytest.approx([1 / 3, 1 / 3])
    assert values == {
        "attribute_agreement": pytest.approx([1, 2 / 3]),
        "judge_right": [1, 1],
        "asked_on": [1, 0],
        "asked_off": [0, 0],
        "steering": [1, 0],
    }


def test_of_several_attributes_the_mean_is_taken() -> None:
    image = flat((1, 0, 0))
    red = (flat((0, 0, 0)), flat((1, 0, 0)))
    green = (flat((1, 0, 0)), flat((1, 0, 1)))  # asked for green it turns blue
    batch = evaluated(image, [1, 0], image, red, green)
    found = prepared(AttributeSteering, "red", "green").measure(batch)
    assert found["asked_on"].item() == pytest.approx(0.5)
    assert found["steering"].item() == pytest.approx(0.5)
    assert found["drift"].item() == pytest.approx(0.5)  # blue in one of two ways
    everything = prepared(AttributeSteering, "red", "green", "blue")
    assert "drift" not in everything.measure(evaluated(image, [1, 0, 0], image, red, green, green))


def test_a_method_without_attributes_is_judged_by_agreement_alone() -> None:
    image = flat((1, 0, 0), (0, 0, 0))
    batch = evaluated(image, [1, 1], image)
    found = prepared(AttributeSteering, "red").measure(batch)
    assert list(found) == ["attribute_agreement"]
    assert found["attribute_agreement"].tolist() == [1, 1]
    flips = prepared(AttributeFlips, "red")
    flips.reset(torch.device("cpu"))
    flips.update(batch)
    assert flips.compute() == {}


def test_a_broken_completion_is_nan() -> None:
    image = flat((1, 0, 0), (0, 0, 0))
    first = image.clone()
    first[0, 0, 0, 0] = torch.nan
    found = prepared(AttributeSteering, "red").measure(evaluated(image, [1, 0], first))
    assert found["attribute_agreement"].isnan().tolist() == [True, False]


def test_flips_are_counted_in_both_directions_over_batches() -> None:
    flips = prepared(AttributeFlips, "red")
    flips.reset(torch.device("cpu"))
    image = flat((1, 0, 0), (0, 0, 0), (0, 0, 0))
    off, on = flat((1, 0, 0), (0, 0, 0), (0, 0, 0)), flat((1, 0, 0), (1, 0, 0), (0, 0, 0))
    flips.update(evaluated(image, [1, 0, 0], image, (off, on)))
    flips.update(evaluated(image[:1], [1], image[:1], (flat((0, 0, 0)), on[:1])))
    # one of two without red shows it; one of two with red loses it
    assert flips.compute() == {"flip_on": 0.5, "flip_off": 0.5}


@pytest.mark.parametrize("metric", [AttributeSteering, AttributeFlips])
def test_data_without_attributes_are_refused(metric: type) -> None:
    plain = SimpleNamespace(attributes=[], datasets={"test": SimpleNamespace(split=PLAIN)})
    with pytest.raises(InputError, match="metrics=attributes needs images with attributes"):
        metric(lambda _: Channels()).prepare(plain)


def test_the_kernel_distance_is_the_unbiased_estimate() -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (20, 3, 8, 8))).float() / 255
    first = torch.from_numpy(rng.integers(0, 128, (20, 3, 8, 8))).float() / 255
    metric = KernelDistance(lambda _: Channels())
    metric.prepare(data("red"))
    metric.reset(torch.device("cpu"))
    metric.update(evaluated(image[:12], [0] * 12, first[:12]))
    metric.update(evaluated(image[12:], [0] * 8, first[12:]))
    x, y = (one.mean((2, 3)).double().numpy() for one in (image, first))

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / 3 + 1) ** 3

    within = [(k.sum() - np.trace(k)) / (20 * 19) for k in (kernel(x, x), kernel(y, y))]
    wanted = sum(within) - 2 * kernel(x, y).mean()
    assert metric.compute()["kernel_distance"] == pytest.approx(wanted, abs=1e-4)


def test_sharpness_is_the_ratio_of_squared_laplacians_in_the_hole() -> None:
    image = torch.zeros(1, 3, 8, 8)
    image[..., 2, 2] = 1.0  # in the hole: 16 in the middle and 1 at each of four neighbours
    assert laplacian(image)[0, 0, 2].tolist() == [0, 1, -4, 1, 0, 0, 0, 0]
    half = image * 0.6  # 153 of 255
    metric = Sharpness()
    metric.reset(torch.device("cpu"))
    metric.update(evaluated(image, [0], half))
    assert metric.compute()["sharpness"] == pytest.approx(0.36)
    metric.reset(torch.device("cpu"))
    metric.update(evaluated(image * 0, [0], half))
    assert np.isnan(metric.compute()["sharpness"])


QUICK = [f"metrics.steering.judge.{key}={value}" for key, value in (
    ("epochs", 1), ("least_steps", 300), ("batch_size", 32), ("width", 16), ("num_features", 32)
)]  # fmt: skip


def test_a_run_is_judged_and_the_judge_is_cached(command, tmp_path: Path) -> None:
    typed = ["model=cvae_gan", "data.image_size=32", "data.counts=[256,8,64]", "trainer=cpu"]
    typed += ["trainer.max_epochs=1", "model.network.width=8", "model.adversary.network.width=4"]
    typed += ["callbacks.progress=null", "trainer.num_sanity_val_steps=0", *QUICK]
    command("train", *typed, "metrics=[attributes,sharpness]", "hydra.run.dir=run")
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert numbers["judge_right"] > 0.7  # 300 steps tell most smiles
    for name in ("steering", "drift", "asked_on", "asked_off", "flip_on", "flip_off"):
        assert -1 <= numbers[name] <= 1
    assert numbers["change"] == 0 and numbers["sharpness"] > 0
    (judge,) = (tmp_path / "cache/classifiers").glob("*/classifier.json")
    details = json.loads(judge.read_text())
    assert set(details["accuracies"]) == {"smiling", "eyeglasses"}
    written = judge.stat().st_mtime_ns
    command("evaluate", "run=run", "metrics=attributes", "edit=true", *QUICK, "hydra.run.dir=edit")
    edited = json.loads((tmp_path / "edit/metrics.json").read_text())
    assert edited["edit"] is True and edited["change"] > 0 and edited["n_without_hole"] == 64
    assert judge.stat().st_mtime_ns == written


def test_a_split_keeps_its_attributes_through_the_cache(tmp_path: Path) -> None:
    from inpainting.data import arrays

    folder = tmp_path / "faces"
    with arrays.writing(folder) as part:
        for split in arrays.SPLITS:
            image = np.zeros((4, 4, 3), np.uint8)
            arrays.write_split(
                part, split, [(image, {"file": "a", "class": "", "old": 1, "new": 0})]
            )
        arrays.write_manifest(part, {}, attributes=["new", "old"])
    split = arrays.read(folder, "val")
    assert split.attribute_names == ("new", "old") and split.attributes.tolist() == [[0.0, 1.0]]
    assert split.labels is None


def test_a_broken_completion_has_no_sharpness() -> None:
    metric = Sharpness()
    metric.reset(torch.device("cpu"))
    image = torch.rand(2, 3, 16, 16)
    broken = image.clone()
    broken[1] = torch.nan
    metric.update(completed(image, broken, torch.ones(2, 1, 16, 16)))
    assert np.isnan(metric.compute()["sharpness"])


def test_images_without_attributes_cannot_say_whether_a_smile_came() -> None:
    metric = prepared(AttributeSteering, "Red")
    image = flat((1, 0, 0))
    plain = evaluated(image, [[1.0]], image, (image, image))
    plain = dataclasses.replace(plain, attributes=None)
    with pytest.raises(InputError, match=r"data.attributes=\[\]"):
        metric.measure(plain)
