"""LPIPS (arXiv 1801.03924): the distance between two images in the features of a classifier."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch import Tensor
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
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
        self._lpips: LearnedPerceptualImagePatchSimilarity | None = None
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
        distances = network(*pair)
        network.reset()
        return {"lpips": distances.flatten()}


def _load(name: str, path: str | None) -> LearnedPerceptualImagePatchSimilarity:
    """Build LPIPS on torchvision's network, with downloaded weights or those of a file."""
    with _instead_of_download(path, get_model_weights(NETWORKS[name]).DEFAULT.url):
        lpips = LearnedPerceptualImagePatchSimilarity(name, reduction="none", normalize=True)
    return lpips.eval()


@contextmanager
def _instead_of_download(path: str | None, url: str) -> Iterator[None]:
    """Let torch find a file where it keeps its downloads of `url`: torchmetrics takes no path."""
    if path is None:
        yield
        return
    torch.load(path, map_location="cpu", weights_only=True)  # torch would unpickle anything there
    before = torch.hub._hub_dir  # None where torch follows TORCH_HOME, which no public name tells
    with TemporaryDirectory() as folder:
        kept = Path(folder, "checkpoints", Path(url).name)
        kept.parent.mkdir()
        kept.symlink_to(Path(path).absolute())
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub._hub_dir = before


def _enlarged(image: Tensor) -> Tensor:
    height, width = image.shape[2:]
    scale = max(1.0, SMALLEST_SIDE / min(height, width))
    return resize(image, round(scale * height), round(scale * width)).clamp(0, 1)
