"""YOLO through ultralytics, which is licensed under AGPL-3.0 and installed with the extra `people`.

Report 004 took people out of its photographs with YOLOv3 (J. Redmon, A. Farhadi, arXiv 1804.02767).
"""

import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inpainting.detectors.base import Detector
from inpainting.detectors.weights import checked_digest, weights_file
from inpainting.errors import InputError

PERSON = "person"  # the name of the class in COCO
MOST = 300  # people in a photograph; ultralytics' default


class Yolo(Detector):
    """A network of ultralytics: any of its detectors that know the class "person".

    Args:
        model: name of the network, such as yolo26n or yolov3u
        weights: path of the weights; None takes those of `model` from the cache
        download: fetch them from ultralytics' releases if they are not there
        sha256: checksum that the weights must have; None takes any and records theirs
        cache: the folder that weights are downloaded to
        options: see `Detector`

    Raises:
        InputError: ultralytics is not installed, the weights are not there or have another
            checksum; see also `Detector`.
    """

    def __init__(
        self,
        *,
        model: str,
        weights: str | None,
        download: bool,
        sha256: str | None,
        cache: str | Path,
        **options: Any,
    ):
        super().__init__(**options)
        try:
            self.version = version("ultralytics")
        except PackageNotFoundError:
            raise InputError(
                "detector=yolo needs ultralytics, which is licensed under AGPL-3.0: type pip "
                "install 'inpainting[people]', or detector=torchvision, or detector=none to keep "
                "all images"
            ) from None
        fetched = Path(cache).expanduser() / "detectors" / f"{model}.pt"
        self.path = weights_file(weights, download, fetched, lambda: _fetch(fetched))
        self.sha256 = checked_digest(self.path, sha256)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the scores depend on."""
        return {
            "network": self.path.stem,
            "sha256": self.sha256,
            "ultralytics": self.version,
            "image_size": self.image_size,
            "confidence": self.confidence,
            "half": self.half,
        }

    @cached_property
    def _network(self) -> Any:
        """The network, loaded when the first photograph is searched.

        Raises:
            InputError: the file does not hold such a network, or it does not know people.
        """
        # Read when ultralytics is imported. Offline, it neither reports usage nor fetches anything;
        # loaded safely, a file of weights cannot run code.
        os.environ["YOLO_OFFLINE"] = os.environ["ULTRALYTICS_SAFE_LOAD"] = "true"
        from ultralytics import YOLO

        try:
            network = YOLO(self.path, task="detect")
            names = network.names
        except Exception as error:  # ultralytics raises errors of many kinds for a broken file
            raise InputError(
                f"{self.path} does not contain weights of ultralytics ({error}): fetch the file "
                "again"
            ) from error
        if PERSON not in names.values():
            raise InputError(f"{self.path} knows no class {PERSON!r}: type other weights")
        network.model.to(memory_format=torch.channels_last)  # 1.4 times faster on a CPU
        return network

    def detect(self, photographs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the people in photographs; see `Detector.detect`."""
        person = [number for number, name in self._network.names.items() if name == PERSON]
        results = self._network.predict(
            [np.ascontiguousarray(photograph[..., ::-1]) for photograph in photographs],  # BGR
            imgsz=self.image_size,
            rect=False,  # pads all to squares: no score depends on the other sizes in the batch
            conf=self.confidence,
            classes=person,
            max_det=MOST,
            device=self.device,
            verbose=False,
            save=False,
            **({"quantize": 16} if self.half else {}),
        )
        found = []
        for result in results:
            score = result.boxes.conf.float().cpu().numpy()
            edges = result.boxes.xyxyn.float().cpu().numpy()
            order = np.argsort(-score, kind="stable")
            found.append(np.concatenate([score[:, None], edges], axis=1)[order])
        return found


def _fetch(path: Path) -> None:
    """Download weights from ultralytics' releases.

    Raises:
        OSError: there are no such weights, or the download failed.
    """
    from ultralytics.utils.downloads import attempt_download_asset

    attempt_download_asset(path)
    if not path.is_file():
        raise OSError("ultralytics has no weights of this name")
