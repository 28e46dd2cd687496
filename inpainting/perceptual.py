"""LPIPS of each image, FID and KID of the set, through torchmetrics.

They need weights, from paths or a download; FID and KID also torch-fidelity, which
`pip install inpainting[perceptual]` brings.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric
from torchmetrics.functional.image.lpips import _NoTrainLpips
from torchmetrics.image.fid import FrechetInceptionDistance, NoTrainInceptionV3
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.wrappers import FeatureShare
from torchvision.models import get_model_weights

from inpainting.errors import InputError
from inpainting.image import resize, to_eight_bits
from inpainting.metrics import InpaintingMetrics

NETWORKS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}  # torchvision's names
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SMALLEST_SIDE = 64  # smaller images are enlarged to it for LPIPS; AlexNet's pooling needs 35

_log = logging.getLogger(__name__)


class PerceptualMetrics(InpaintingMetrics):
    """`InpaintingMetrics` with `lpips` for each image, and `fid` and `kid` of the set.

    What has no weights is left out, and one line says what to fetch. Networks are built when they
    are first needed, frozen, in evaluation mode. On several processes, all of them must call
    `compute_set`.

    Args:
        local_share: side of the local crop as a share of the image's, in (0, 1]
        lpips_net: alex, vgg or squeeze
        lpips_weights: path of torchvision's weights of that network
        inception_weights: path of torch-fidelity's Inception weights
        download: fetch what has no path
        kid_subsets: random subsets of the set that KID is averaged over
        kid_subset_size: images in each; of a smaller set all

    Raises:
        InputError: an unknown network, or a path where nothing is
    """

    def __init__(
        self,
        local_share: float = 28 / 64,
        lpips_net: str = "alex",
        lpips_weights: str | None = None,
        inception_weights: str | None = None,
        download: bool = False,
        kid_subsets: int = 100,
        kid_subset_size: int = 1000,
    ):
        super().__init__(local_share)
        if lpips_net not in NETWORKS:
            raise InputError(f"metrics.lpips_net={lpips_net}: type alex, vgg or squeeze")
        for key, path in (("lpips", lpips_weights), ("inception", inception_weights)):
            if path and not Path(path).is_file():
                raise InputError(
                    f"metrics.{key}_weights={path} is not a file: type the path of the weights, "
                    "or null and metrics.download=true"
                )
        self.lpips_net, self.lpips_weights = lpips_net, lpips_weights
        self.inception_weights = inception_weights
        self.kid_subsets, self.kid_subset_size = kid_subsets, kid_subset_size
        self._wants_lpips = bool(lpips_weights or download)
        self._wants_sets = bool(inception_weights or download) and bool(find_spec("torch_fidelity"))
        self._lpips: nn.Module | None = None
        self._sets: FeatureShare | None = None
        self._count = SumMetric()
        self._say_what_is_missing()

    def _say_what_is_missing(self) -> None:
        missing = []
        if not self._wants_lpips:
            url = get_model_weights(NETWORKS[self.lpips_net]).DEFAULT.url
            missing.append(f"LPIPS (fetch {url} and set metrics.lpips_weights to its path)")
        if not find_spec("torch_fidelity"):
            missing.append("FID and KID (pip install torch-fidelity)")
        elif not self._wants_sets:
            missing.append(f"FID and KID (fetch {INCEPTION} and set metrics.inception_weights)")
        if missing:
            _log.warning("left out: %s; metrics.download=true fetches weights", ", ".join(missing))

    @torch.no_grad()
    def __call__(
        self, completion: Tensor, image: Tensor, mask: Tensor, label: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Measure a batch, as `InpaintingMetrics` does, and `lpips` (B,)."""
        metrics = super().__call__(completion, image, mask, label)
        if self._wants_lpips and self._lpips is None:
            with _building(self.lpips_weights):
                self._lpips = _load_lpips(self.lpips_net, self.lpips_weights)
            self._wants_lpips = self._lpips is not None
        if self._lpips is not None:
            network = self._lpips.to(image.device)
            pair = [_to_colour(_enlarged(to_eight_bits(x.float()))) for x in (completion, image)]
            metrics["lpips"] = network(*pair, normalize=True).flatten()
        return metrics

    def to(self, device: torch.device | str) -> "PerceptualMetrics":
        """Move the networks and the sums of the set."""
        for module in (self._lpips, self._sets, self._count):
            if module is not None:
                module.to(device)
        return self

    def update_set(
        self, completion: Tensor, image: Tensor, keep: Tensor, label: Tensor | None = None
    ) -> None:
        """Add a batch to FID and KID, see `InpaintingMetrics`."""
        if self._wants_sets and self._sets is None:
            with _building(self.inception_weights):
                self._sets = self._load_sets()
            self._wants_sets = self._sets is not None
        if self._sets is None or not keep.any():
            return
        # Out of inference mode, which would taint the sums that later batches add to.
        with torch.inference_mode(False), torch.no_grad():
            self.to(image.device)
            for pictures, real in ((image, True), (completion, False)):
                levels = (to_eight_bits(pictures[keep].float()) * 255).round().to(torch.uint8)
                self._sets.update(_to_colour(levels), real=real)
            self._count.update(keep.sum())

    def _load_sets(self) -> FeatureShare:
        if self.inception_weights:  # torch-fidelity would unpickle whatever the file holds
            torch.load(self.inception_weights, map_location="cpu", weights_only=True)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], self.inception_weights)
        network.num_features = 2048  # else FID would run the network to learn it
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save")
            kid = KernelInceptionDistance(network, subsets=self.kid_subsets)
        return FeatureShare({"fid": FrechetInceptionDistance(network), "kid": kid})

    def compute_set(self) -> dict[str, float]:
        """`fid` and `kid` of all batches since `reset_set`; NaN for fewer than two images."""
        if self._sets is None:
            return {}
        number = int(self._count.compute())
        if number < 2:
            return {"fid": float("nan"), "kid": float("nan")}
        self._sets["kid"].subset_size = min(self.kid_subset_size, number)
        with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # the same subsets each time
            fid, kid = self._sets["fid"].compute(), self._sets["kid"].compute()[0]
        return {"fid": float(fid), "kid": float(kid)}

    def reset_set(self) -> None:
        """Start a new set."""
        with torch.inference_mode(False):
            self._count.reset()
            if self._sets is not None:
                self._sets.reset()


@contextmanager
def _building(path: str | None) -> Iterator[None]:
    """Build a network without drawing from training's random numbers, and say what goes wrong.

    A broken file is an InputError; a failed download a warning, so that a training which ends in
    a test does not end in an error.
    """
    broken = (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError)
    try:
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            yield
    except broken as error:
        if path is None:
            _log.warning("left out, as the download of its weights failed: %s", error)
            return
        raise InputError(
            f"{path} does not hold the weights that it should: fetch it again, or leave the "
            "metrics key null"
        ) from error


def _load_lpips(name: str, path: str | None) -> nn.Module:
    """LPIPS with its own linear layers, which torchmetrics brings, on torchvision's network."""
    if path is None:
        weights = get_model_weights(NETWORKS[name]).DEFAULT.get_state_dict(progress=False)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    lpips = _NoTrainLpips(net=name, pnet_rand=True)  # random: its own way is a download
    lpips.net.load_state_dict(
        {  # slice2.3.weight (or slices.1.3.weight) is torchvision's features.3.weight
            own: weights["features." + own.removeprefix("slices.").split(".", 1)[1]]
            for own in lpips.net.state_dict()
        }
    )
    return lpips


def _enlarged(image: Tensor) -> Tensor:
    height, width = image.shape[2:]
    scale = max(1.0, SMALLEST_SIDE / min(height, width))
    return resize(image, round(scale * height), round(scale * width)).clamp(0, 1)


def _to_colour(image: Tensor) -> Tensor:
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
