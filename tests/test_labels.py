"""Completions read as their labels: by hand, against scipy, with classifiers that are trained."""

import csv
import json
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from completing import completed
from hydra.utils import instantiate
from scipy import linalg
from torch import Tensor, nn

from inpainting.data.arrays import Split
from inpainting.errors import InputError
from inpainting.metrics.base import columns_of
from inpainting.metrics.feature_distances import FrechetDistance
from inpainting.metrics.labels import LabelAgreement
from inpainting.metrics.summary import means
from inpainting.nn.classifier import Classifier
from inpainting.tasks.classifier import classifier_key, trained_classifier

QUICK = {"epochs": 1, "least_steps": 10, "batch_size": 32, "lr": 0.01}
QUICKLY = [f"metrics.label_agreement.classifier.{key}={value}" for key, value in QUICK.items()]
SHORT = ["model=conv_ae", "data=digits", "metrics=labels", "trainer=cpu", "trainer.max_epochs=1"]
SHORT += ["callbacks.progress=null"]


class Brightness(nn.Module):
    """Reads 1 where the mean is above 0.401, else 0; the features are the means of four rows."""

    num_features = 4

    def features(self, image: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(image, (4, 1)).mean(1).flatten(1)

    def forward(self, image: Tensor) -> Tensor:
        mean = self.features(image).mean(1)
        return torch.stack([mean * 0 + 0.401, mean], 1)


def agreement(classifier: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
    metric = LabelAgreement(classifier=lambda data: classifier)
    metric.prepare(object())
    return metric.measure(completed(*batch))


def frechet(classifier: nn.Module) -> FrechetDistance:
    metric = FrechetDistance(classifier=lambda data: classifier)
    metric.prepare(object())
    metric.reset(torch.device("cpu"))
    return metric


def summarise(rows: dict[str, Tensor]) -> dict[str, float]:
    return means(rows, columns_of([LabelAgreement(lambda data: None)]), np.ones(1))


def grey(*levels: float) -> Tensor:
    """Flat images (N, 1, 16, 16) of levels from 0 to 255."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 1, 16, 16) / 255


def noise(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 16, 16), generator=generator) / 255


def test_a_completion_agrees_where_it_is_read_as_its_label_when_saved() -> None:
    completion = grey(200, 0, 0, 200, 102.4, 102.6)  # saved, the last two are 102 and 103
    label = torch.tensor([1, 0, 1, 0, 0, 1])
    image = grey(200, 0, 0, 0, 0, 0)
    rows = agreement(Brightness(), completion, image, torch.zeros(6, 1, 16, 16), label)
    assert rows["label_agreement"].tolist() == [1, 1, 0, 0, 1, 1]
    assert rows["label_agreement_untouched"].tolist() == [1, 1, 0, 1, 1, 0]
    assert rows["label_agreement"].dtype == torch.float32
    assert summarise(rows)["label_agreement"] == pytest.approx(4 / 6)


def test_a_broken_completion_makes_the_agreement_and_the_distance_nan() -> None:
    completion, image, mask = grey(200, 200, 0, 0), grey(200, 200, 0, 0), torch.ones(4, 1, 16, 16)
    label = torch.tensor([1, 1, 0, 0])
    completion = torch.where(torch.arange(16) == 3, torch.nan, completion)
    summary = summarise(agreement(Brightness(), completion, image, mask, label))
    assert np.isnan(summary["label_agreement"]) and summary["label_agreement_untouched"] == 1
    metric = frechet(Brightness())
    metric.update(completed(completion, image, mask))
    assert np.isnan(metric.compute()["frechet"])


def frechet_by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """Heusel et al. 2017, eq. 6, of features (N, F) float64."""
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    distance = np.square(a.mean(0) - b.mean(0)).sum()
    return distance + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)


def untrained() -> Classifier:
    torch.manual_seed(0)
    return Classifier(1, 16, 3, 4, 8).eval()


@pytest.mark.parametrize("build", [Brightness, untrained])
def test_the_frechet_distance_is_scipys_of_the_kept_images_in_any_batches(build) -> None:
    classifier = build()
    image, completion = noise(40, 0), noise(40, 1) ** 2
    metric, whole = frechet(classifier), completed(completion, image, torch.ones(40, 1, 16, 16))
    keep = torch.arange(40) % 7 != 6
    with torch.inference_mode():  # as in Lightning's test loop
        metric.update(whole)
        metric.reset(torch.device("cpu"))
        for part in (slice(0, 6), slice(6, 7), slice(7, 40)):  # the second has nothing to keep
            metric.update(whole[part][keep[part]])
        got = metric.compute()["frechet"]
    levels = (completion * 255).round() / 255
    with torch.no_grad():
        a, b = (classifier.features(x[keep]).double().numpy() for x in (image, levels))
    assert got > 0
    assert got == pytest.approx(frechet_by_scipy(a, b), rel=1e-5)


def test_of_fewer_than_two_images_there_is_no_distance() -> None:
    metric = frechet(Brightness())
    assert np.isnan(metric.compute()["frechet"])
    metric.update(completed(noise(1, 0), noise(1, 1), torch.ones(1, 1, 16, 16)))
    assert np.isnan(metric.compute()["frechet"])


@pytest.mark.parametrize("metric", [LabelAgreement, FrechetDistance])
def test_the_classifier_is_asked_for_once_for_each_data(metric) -> None:
    asked = []
    one = metric(classifier=lambda data: asked.append(data) or Brightness())
    for data in ("first", "first", "second"):
        one.prepare(data)
    assert asked == ["first", "second"]


def test_unlabelled_data_are_refused_before_a_training(failure, tmp_path: Path) -> None:
    message = failure("train", "model=mean_fill", "data=photos", "metrics=labels", "trainer=cpu")
    assert "type data=mnist or data=digits, or metrics=default" in message
    assert not list(tmp_path.rglob("metrics.json"))
    with pytest.raises(InputError, match="data=digits"):
        agreement(Brightness(), grey(0), grey(0), grey(0))


@pytest.mark.parametrize(("channels", "side"), [(1, 11), (1, 28), (3, 64), (3, 97)])
def test_the_network_reads_any_size_and_ends_in_means_of_a_small_map(channels, side) -> None:
    network = Classifier(channels, side, 5).eval()
    image = torch.rand(2, channels, side, side)
    assert network(image).shape == (2, 5)
    assert network.features(image).shape == (2, network.num_features) == (2, 64)
    assert 5 <= network.map(image).shape[3] <= 10
    assert network(torch.rand(1, channels, 40, 33)).shape == (1, 5)


def test_its_parameters_are_as_many_as_stated() -> None:
    assert sum(parameter.numel() for parameter in Classifier(1, 28, 10).parameters()) == 66_346


@pytest.fixture
def digits(composed):
    """The digits, as `data=digits` gives them."""
    return instantiate(composed("data=digits").data, _convert_="all")


def test_the_yaml_states_every_knob_and_builds_without_training(composed, tmp_path: Path) -> None:
    config = composed("metrics=labels", f"paths.cache={tmp_path}").metrics
    instantiate(config, _convert_="all")
    assert not list(tmp_path.iterdir())
    names = trained_classifier.__code__.co_varnames[
        : 1 + trained_classifier.__code__.co_kwonlyargcount
    ]
    stated = set(config.label_agreement.classifier) - {"_target_", "_partial_"}
    assert stated | {"data"} == set(names)
    assert config.frechet.classifier == config.label_agreement.classifier


def test_a_classifier_is_trained_once_by_its_own_chance(digits, tmp_path: Path, caplog) -> None:
    image = torch.rand(3, 1, 28, 28)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with caplog.at_level(logging.INFO):
        first = trained_classifier(digits, cache=tmp_path / "a", **QUICK)
        again = trained_classifier(digits, cache=tmp_path / "a", **QUICK)
    assert sum("made now" in record.message for record in caplog.records) == 1
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    elsewhere = trained_classifier(digits, cache=tmp_path / "b", **QUICK)
    for other in (again, elsewhere):
        assert torch.equal(first(image), other(image))
    assert not first.training and not any(p.requires_grad for p in first.parameters())


def test_of_several_processes_one_trains(digits, tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(trained_classifier, digits, cache=tmp_path, **QUICK) for _ in range(2)]
        first, second = (job.result().state_dict() for job in jobs)
    assert sum("made now" in record.message for record in caplog.records) == 1
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_other_images_labels_or_settings_are_another_classifiers() -> None:
    images, labels = np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 1])
    changed = images.copy()
    changed[2, 3, 3] = 1
    every = [
        classifier_key(Split(images, [], labels), QUICK),
        classifier_key(Split(changed, [], labels), QUICK),
        classifier_key(Split(images.reshape(3, 2, 8, 1), [], labels), QUICK),
        classifier_key(Split(images, [], np.array([0, 1, 0])), QUICK),
        classifier_key(Split(images, [], labels), {**QUICK, "lr": 0.02}),
    ]
    assert len(set(every)) == 5


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"epochs": -1}, {"least_steps": 0}])
def test_settings_that_train_no_classifier_are_named(digits, tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(
        InputError, match=f"metrics.label_agreement.classifier.{next(iter(wrong))}="
    ):
        trained_classifier(digits, cache=tmp_path, **{**QUICK, **wrong})


def test_a_run_reports_agreement_and_distance_and_keeps_the_classifier_out(
    command, tmp_path: Path
) -> None:
    command("train", *SHORT, *QUICKLY, "against=[telea]", "hydra.run.dir=run")
    run = tmp_path / "run"
    metrics = json.loads((run / "metrics.json").read_text())
    (details,) = (tmp_path / "cache/classifiers").glob("*/classifier.json")
    details = json.loads(details.read_text())
    assert metrics["label_agreement_untouched"] == pytest.approx(details["accuracy"])
    assert details["data"] == "DigitsDataModule" and details["train_images"] == 1257
    assert metrics["frechet"] > 0
    with open(run / "per_image.csv", newline="") as file:
        column = [float(row["label_agreement"]) for row in csv.DictReader(file)]
    assert set(column) <= {0.0, 1.0} and len(column) == metrics["n"] == 270
    assert np.mean(column) == pytest.approx(metrics["label_agreement"])
    assert "val/label_agreement" in (run / "metrics.csv").read_text()
    telea = json.loads((run / "against/telea/metrics.json").read_text())
    assert telea["label_agreement_untouched"] == metrics["label_agreement_untouched"]
    assert telea["frechet"] != metrics["frechet"]

    for name in ("best", "last"):
        checkpoint = torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)
        assert not [key for key in checkpoint["state_dict"] if "classif" in key or "metric" in key]
        assert "Evaluation" not in checkpoint.get("callbacks", {})

    command("evaluate", "run=run", "callbacks.progress=null", "hydra.run.dir=again")
    again = json.loads((tmp_path / "again/metrics.json").read_text())
    for name in ("label_agreement", "label_agreement_untouched", "frechet"):
        assert again[name] == pytest.approx(metrics[name], rel=1e-4), name
    assert len(list((tmp_path / "cache/classifiers").glob("*/"))) == 1


@pytest.mark.parametrize(
    ("typed", "accuracy"),
    [(QUICKLY, 0.2), pytest.param([], 0.97, marks=pytest.mark.slow)],
    ids=["quick", "as configured"],
)
def test_the_entry_point_trains_the_digits_classifier(
    command, tmp_path: Path, typed: list[str], accuracy: float
) -> None:
    command("train_classifier", *typed)
    (folder,) = (tmp_path / "cache/classifiers").glob("*/")
    assert json.loads((folder / "classifier.json").read_text())["accuracy"] >= accuracy
    assert "state_dict" in torch.load(folder / "classifier.pt", weights_only=True)
    (said,) = (tmp_path / "outputs/train_classifier").glob("*/train_classifier.log")
    assert folder.name in said.read_text() and "of 270 test images" in said.read_text()


class LeNet5(nn.Module):
    """LeCun et al. 1998, as trained by abdulfatir/gan-metrics-pytorch."""

    def __init__(self):
        super().__init__()
        convolutions = [("c1", nn.Conv2d(1, 6, 5)), ("t1", nn.Tanh()), ("p1", nn.MaxPool2d(2))]
        convolutions += [("c3", nn.Conv2d(6, 16, 5)), ("t3", nn.Tanh()), ("p3", nn.MaxPool2d(2))]
        convolutions += [("c5", nn.Conv2d(16, 120, 5)), ("t5", nn.Tanh())]
        self.convnet = nn.Sequential(OrderedDict(convolutions))
        dense = [("f6", nn.Linear(120, 84)), ("t6", nn.Tanh()), ("f7", nn.Linear(84, 10))]
        self.fc = nn.Sequential(OrderedDict(dense))

    def forward(self, image: Tensor) -> Tensor:
        enlarged = F.interpolate(image, (32, 32), mode="bilinear", align_corners=False)
        return self.fc(self.convnet(enlarged).flatten(1))


@pytest.mark.slow
@torch.no_grad()
def test_mnist_is_read_and_as_lenet_reads_it(composed, real_data, tmp_path: Path) -> None:
    source = real_data("mnist")
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    for path in (source / "MNIST/raw").glob("*.gz"):
        (tmp_path / "MNIST/raw" / path.name).write_bytes(path.read_bytes())
    config = composed(
        "data=mnist", f"data.root={tmp_path}", "data.download=true",
        "metrics=labels", f"paths.cache={tmp_path}/cache",
    )  # fmt: skip
    data = instantiate(config.data, _convert_="all")
    with torch.enable_grad():
        classifier = instantiate(config.metrics.label_agreement.classifier, _convert_="all")(data)
    lenet = LeNet5()
    weights = real_data("weights/lenet5_mnist.pth")
    lenet.load_state_dict(torch.load(weights, weights_only=True))
    test = data.read_split("test")
    images = torch.from_numpy(test.images).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(test.labels)
    ours, theirs = (
        torch.cat([network(part).argmax(1) for part in images.split(500)])
        for network in (classifier, lenet)
    )
    assert (ours == labels).float().mean() >= 0.99
    assert (theirs == labels).float().mean() == pytest.approx(0.988, abs=1e-3)
    assert (ours == theirs).float().mean() >= 0.98
    # Where they differ, ours is the one that is right more often.
    differ = ours != theirs
    assert (ours == labels)[differ].sum() > (theirs == labels)[differ].sum()
