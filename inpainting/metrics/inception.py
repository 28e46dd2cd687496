"""FID (arXiv 1706.08500) and KID (arXiv 1801.01401) of a set, through torchmetrics."""

import logging
import math
import warnings
from importlib.util import find_spec

import torch
from torchmetrics.image.fid import FrechetInceptionDistance, NoTrainInceptionV3
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.wrappers import FeatureShare

from inpainting.images.algebra import to_eight_bits
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import SetMetric
from inpainting.metrics.columns import distance_column
from inpainting.metrics.totals import Totals
from inpainting.metrics.weights import building, check_path, to_colour
from inpainting.values import Count

WEIGHTS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)

log = logging.getLogger(__name__)


class InceptionDistances(SetMetric):
    """FID and KID between the images and their completions, in the features of one Inception pass.

    Both need torch-fidelity, which `pip install inpainting[perceptual]` installs, and its weights.
    If either is missing, both distances are left out and a warning says what to fetch. The network
    is built when it is first needed.

    Args:
        weights: path of torch-fidelity's Inception weights
        download: download the weights if no path is given
        kid_subsets: number of random subsets that KID is averaged over
        kid_subset_size: images per subset; a smaller set is its own subset

    Raises:
        InputError: `weights` is not a file.
    """

    columns = (distance_column("fid", "FID", 2), distance_column("kid", "KID", 4))
    packages = ("torchmetrics", "torch-fidelity")
    at_validation = False  # a pass through Inception costs more than a training step

    def __init__(
        self,
        weights: str | None = None,
        download: bool = False,
        kid_subsets: Count = 100,
        kid_subset_size: Count = 1000,
    ):
        check_path("metrics.inception.weights", weights)
        self.weights, self.kid_subsets, self.kid_subset_size = weights, kid_subsets, kid_subset_size
        installed = bool(find_spec("torch_fidelity"))
        self._wanted = bool(weights or download) and installed
        self._distances: FeatureShare | None = None
        self._sums = Totals("count", "broken")
        if not installed:
            log.warning("FID and KID are left out: type pip install 'inpainting[perceptual]'")
        elif not self._wanted:
            log.warning(
                "FID and KID are left out: fetch %s and set metrics.inception.weights to its path, "
                "or type metrics.inception.download=true",
                WEIGHTS,
            )

    def reset(self, device: torch.device) -> None:
        """Start a new set."""
        self._sums.restart(device)
        if self._distances is not None:
            with torch.inference_mode(False):
                self._distances.to(device)
                self._distances.reset()

    def update(self, completed: Completed) -> None:
        """Add a batch."""
        if self._wanted and self._distances is None:
            with building(self.weights):
                self._distances = self._load()
            self._wanted = self._distances is not None
        if self._distances is None or not len(completed):
            return
        # Later batches could not add to sums that were created in inference mode.
        with torch.inference_mode(False), torch.no_grad():
            self._distances.to(completed.image.device)
            for images, real in ((completed.image, True), (completed.first, False)):
                levels = (to_eight_bits(images.float()) * 255).round().to(torch.uint8)
                self._distances.update(to_colour(levels), real=real)
        broken = (~completed.first.isfinite()).flatten(1).any(1)
        self._sums.add(
            count=torch.as_tensor(len(broken), device=broken.device), broken=broken.sum()
        )

    def _load(self) -> FeatureShare:
        if self.weights:  # refuses arbitrary objects, which torch-fidelity would unpickle
            torch.load(self.weights, map_location="cpu", weights_only=True)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], self.weights)
        network.num_features = 2048  # otherwise FID runs the network to find out
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save")
            kid = KernelInceptionDistance(network, subsets=self.kid_subsets)
        return FeatureShare({"fid": FrechetInceptionDistance(network), "kid": kid})

    def compute(self) -> dict[str, float]:
        """Return both distances; NaN for fewer than two images or a broken completion."""
        if self._distances is None:
            return {}
        number, broken = (int(total) for total in self._sums.read().values())
        if number < 2 or broken:  # NaN would become a black pixel
            return {"fid": math.nan, "kid": math.nan}
        self._distances["kid"].subset_size = min(self.kid_subset_size, number)
        with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # the same subsets of KID each time
            fid, kid = self._distances["fid"].compute(), self._distances["kid"].compute()[0]
        return {"fid": float(fid), "kid": float(kid)}
