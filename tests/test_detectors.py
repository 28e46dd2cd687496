"""Detectors of people: ultralytics' answers on real photographs, and torchvision's interface."""

import csv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inpainting.detectors.torchvision import Torchvision
from inpainting.detectors.yolo import Yolo
from inpainting.errors import InputError

OPTIONS = {
    "download": False,
    "sha256": None,
    "threshold": 0.25,
    "confidence": 0.05,
    "image_size": 640,
    "batch_size": 16,
    "device": "cpu",
    "half": False,
}
MODEL = "fasterrcnn_mobilenet_v3_large_fpn"


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ultralytics"), reason="needs the extra people")
def test_yolo_finds_the_people_that_ultralytics_finds(real_data: Callable, tmp_path: Path) -> None:
    weights = str(real_data("weights/yolov8n.pt"))
    detector = Yolo(model="yolov8n", weights=weights, cache=tmp_path, **OPTIONS)
    with open(real_data("places/people_yolov8n.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    some = [row for row in rows if float(row["max_conf"])][:40:4] + rows[:2]
    photographs = []
    for row in some:
        with Image.open(real_data("places").parent / row["file"]) as opened:
            photographs.append(np.asarray(opened.convert("RGB")))
    for row, found in zip(some, detector.detect(photographs), strict=True):
        assert found.shape[1] == 5 and (np.diff(found[:, 0]) <= 0).all()
        score = found[0, 0] if len(found) and found[0, 0] >= 0.25 else 0
        assert score == pytest.approx(float(row["max_conf"]), abs=2e-3), row
        assert (found[:, 0] >= 0.25).sum() == int(row["persons"])
        assert (found[:, 1:] >= 0).all() and (found[:, 1:] <= 1).all()
        assert (found[:, 3] > found[:, 1]).all() and (found[:, 4] > found[:, 2]).all()
    assert detector.settings["sha256"].startswith("d5095577da3e")


@pytest.mark.skipif(not find_spec("ultralytics"), reason="needs the extra people")
def test_weights_are_checked_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"no weights")
    here = {"model": "yolo26n", "weights": str(tmp_path / "w.pt"), "cache": tmp_path}
    with pytest.raises(InputError, match="SHA-256 checksum c814b209.*not detector.sha256=00"):
        Yolo(**here, **{**OPTIONS, "sha256": "00"})
    with pytest.raises(InputError, match="none.pt is not a file"):
        Yolo(**{**here, "weights": "none.pt"}, **OPTIONS)
    with pytest.raises(InputError, match="detector.half=true needs a GPU"):
        Yolo(**here, **{**OPTIONS, "half": True})


class Answers(nn.Module):
    """What a network of torchvision returns: boxes of several classes, in pixels."""

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        height, width = images[0].shape[1:]
        assert images[0].dtype == torch.float32 and images[0].max() <= 1
        boxes = torch.tensor([[0, 0, width / 2, height / 4], [1, 1, 3, 3], [0, 0, width, height]])
        scores = torch.tensor([0.9, 0.8, 0.04])
        return [{"boxes": boxes, "scores": scores, "labels": torch.tensor([1, 7, 1])}] * len(images)


def test_torchvisions_persons_are_chosen_and_scaled(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    detector = Torchvision(model=MODEL, weights=str(tmp_path / "w.pth"), cache=tmp_path, **OPTIONS)
    detector.__dict__["_network"] = Answers()
    photograph = np.full((20, 40, 3), 255, np.uint8)
    (found, again) = detector.detect([photograph, photograph])
    np.testing.assert_allclose(found, [[0.9, 0, 0, 0.5, 0.25]], atol=1e-6)  # the other class and
    np.testing.assert_array_equal(found, again)  # the score below .05 are left out
    with pytest.raises(InputError, match="detector.model=vgg"):
        Torchvision(model="vgg", weights=None, cache=tmp_path, **OPTIONS)


@pytest.mark.slow
def test_torchvisions_network_loads_its_weights_and_refuses_others(tmp_path: Path) -> None:
    from torchvision.models import get_model

    network = get_model(MODEL, weights=None, weights_backbone=None)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    detector = Torchvision(model=MODEL, weights=str(tmp_path / "w.pth"), cache=tmp_path, **OPTIONS)
    photograph = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (found,) = detector.detect([photograph])
    assert found.dtype == np.float32 and found.shape[1] == 5
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    other = Torchvision(model=MODEL, weights=str(tmp_path / "w.pth"), cache=tmp_path, **OPTIONS)
    with pytest.raises(InputError, match="does not contain torchvision's weights"):
        other.detect([photograph])
