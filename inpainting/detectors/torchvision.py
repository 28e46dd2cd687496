"""The detectors of torchvision, which need no further package and are licensed under BSD-3."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

from inpainting.detectors.base import Detector
from inpainting.detectors.weights import checked_digest, weights_file
from inpainting.errors import InputError, check_choice

PERSON, CLASSES = 1, 91  # of COCO, as torchvision counts them
# For each network, what it calls the lowest score that it returns.
NETWORKS = {
    "fasterrcnn_mobilenet_v3_large_fpn": "box_score_thresh",
    "fasterrcnn_resnet50_fpn_v2": "box_score_thresh",
    "retinanet_resnet50_fpn_v2": "score_thresh",
}


class Torchvision(Detector):
    """Faster R-CNN (arXiv 1506.01497) or RetinaNet (arXiv 1708.02002), trained on COCO.

    Args:
        model: one of `NETWORKS`
        weights: path of torchvision's weights; None takes those of `model` from the cache
        download: fetch them through torchvision, which checks them, if they are not there
        sha256: checksum that the weights must have; None takes any and records theirs
        cache: the folder that weights are downloaded to
        options: see `Detector`

    Raises:
        InputError: the model is unknown, the weights are not there or have another checksum; see
            also `Detector`.
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
        from torchvision.models import get_model_weights

        check_choice("detector.model", model, tuple(NETWORKS))
        default = get_model_weights(model).DEFAULT
        folder = Path(cache).expanduser() / "detectors"
        self.model = model
        self.path = weights_file(
            weights,
            download,
            folder / Path(default.url).name,
            lambda: default.get_state_dict(model_dir=folder, check_hash=True, progress=True),
        )
        self.sha256 = checked_digest(self.path, sha256)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the scores depend on."""
        return {
            "network": self.model,
            "sha256": self.sha256,
            "image_size": self.image_size,
            "confidence": self.confidence,
            "half": self.half,
        }

    @cached_property
    def _network(self) -> nn.Module:
        """The network, loaded when the first photograph is searched.

        Raises:
            InputError: the file does not hold the weights of this network.
        """
        from torchvision.models import get_model

        size = {"min_size": self.image_size, "max_size": self.image_size}
        lowest = {NETWORKS[self.model]: self.confidence}
        network = get_model(
            self.model, weights=None, weights_backbone=None, num_classes=CLASSES, **size, **lowest
        )
        try:
            network.load_state_dict(torch.load(self.path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, UnpicklingError, EOFError, TypeError) as error:
            raise InputError(
                f"{self.path} does not contain torchvision's weights of {self.model} "
                f"({str(error).splitlines()[0]}): fetch the file again, or type the model's name "
                "as detector.model"
            ) from error
        return network.eval().to(self.device)

    @torch.no_grad()
    def detect(self, photographs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the people in photographs; see `Detector.detect`."""
        images = [
            torch.from_numpy(np.ascontiguousarray(photograph)).permute(2, 0, 1).to(self.device)
            for photograph in photographs
        ]
        with torch.autocast(torch.device(self.device).type, torch.float16, enabled=self.half):
            results = self._network([image.float() / 255 for image in images])
        found = []
        for image, result in zip(images, results, strict=True):
            chosen = (result["labels"] == PERSON) & (result["scores"] >= self.confidence)
            height, width = image.shape[1:]
            sides = torch.tensor([width, height, width, height], device=self.device)
            edges = result["boxes"][chosen] / sides
            people = torch.cat([result["scores"][chosen, None], edges], dim=1)
            found.append(people.float().cpu().numpy())
        return found
