"""LPIPS of each image, FID and KID of the set, through torchmetrics.

Needs the weights of networks, from paths or a download. FID and KID also need torch-fidelity
(`pip install inpainting[perceptual]`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric
from torchmetrics.functional.image.lpips import _NoTrainLpips
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.wrappers import FeatureShare

from inpainting.errors import InputError
from inpainting.image import resize, to_eight_bits
from inpainting.metrics import InpaintingMetrics

_log = logging.getLogger(__name__)

FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
TORCHVISION = "https://download.pytorch.org/models/"
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "pt_inception-2015-12-05-6726825d.pth"
)
SMALLEST_SIDE = 64  # smaller images are enlarged to it; AlexNet's pooling needs 35
