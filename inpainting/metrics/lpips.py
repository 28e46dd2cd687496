"""LPIPS (arXiv 1801.03924): the distance between two images in the features of a classifier."""

import logging
from typing import Literal

import torch
from torch import Tensor, nn
from torchmetrics.functional.image.lpips import _NoTrainLpips
from torchvision.models import get_model_weights

from inpainting.errors import InputError
from inpainting.images.algebra import resize
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.weights import building, check_path, to_colour

NETWORKS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}  # torchvision's names
SMALLEST_SIDE = 64  # pixels, to which smaller images are enlarged; AlexNet's pooling needs 35

log = logging.getLogger(__name__)


class LPIPS(ImageMetric):
    """LPIPS of each completion, through torchmetrics.

    Without weights LPIPS is left out, and a warning says what to fetch. The network is built when
    it is first needed; it is frozen and in evaluation mode.

    Args:
        network: alex, vgg or squeeze
        weights: path of torchvision's weights of that network
        download: download the weights if no path is given

    Raises:
        InputError: the network is unknown, or `weights` is not a file.
    """

    columns = (
        Column(
            name="lpips",
            heading="LPIPS",
            digits=3,
            direction="min",
            scope="whole",
            truth=0.0,
            brief=True,
        ),
    )
    packages = ("torchmetrics",)

    def __init__(
        self,
        network: Literal["alex", "vgg", "squeeze"] = "alex",
        weights: str | None = None,
        download: bool = False,
    ):
        if network not in NETWORKS:
            raise InputError(f"metrics.lpips.network={network}: type {', '.join(NETWORKS)}")
        check_path("metrics.lpips.weights", weights)
        self.network, self.weights = network, weights
        self._wanted = bool(weights or download)
        self._lpips: nn.Module | None = None
        if not self._wanted:
            url = get_model_weights(NETWORKS[network]).DEFAULT.url
            log.warning(
                "LPIPS is left out: fetch %s and set metrics.lpips.weights to its path, or type "
                "metrics.lpips.download=true",
                url,
            )

    @torch.no_grad()
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch; see `ImageMetric`."""
        if self._wanted and self._lpips is None:
            with building(self.weights):
                self._lpips = _load(self.network, self.weights)
            self._wanted = self._lpips is not None
        if self._lpips is None:
            return {}
        network = self._lpips.to(completed.image.device)
        pair = [to_colour(_enlarged(x)) for x in (completed.saved, completed.image.float())]
        return {"lpips": network(*pair, normalize=True).flatten()}


def _load(name: str, path: str | None) -> nn.Module:
    """Build LPIPS with its linear layers from torchmetrics on torchvision's network."""
    if path is None:
        weights = get_model_weights(NETWORKS[name]).DEFAULT.get_state_dict(progress=False)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    lpips = _NoTrainLpips(net=name, pnet_rand=True)  # random, because the alternative is a download
    lpips.net.load_state_dict(
        {  # slice2.3.weight (or slices.1.3.weight) is torchvision's features.3.weight
            key: weights["features." + key.removeprefix("slices.").split(".", 1)[1]]
            for key in lpips.net.state_dict()
        }
    )
    return lpips


def _enlarged(image: Tensor) -> Tensor:
    height, width = image.shape[2:]
    scale = max(1.0, SMALLEST_SIDE / min(height, width))
    return resize(image, round(scale * height), round(scale * width)).clamp(0, 1)
