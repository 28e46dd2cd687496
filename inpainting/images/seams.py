"""Joins of a prediction and the known pixels around it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.images.membrane import membrane


def enlarged_into(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Enlarge the prediction for a shrunk image, and let it join the known pixels without a seam.

    The error that the enlarged prediction has at the known pixels is continued smoothly into the
    hole and taken off there: Poisson image editing (Pérez et al. 2003, eq. 4), see `membrane`.

    Args:
        prediction: (B, C, h, w) in [0, 1]
        image: (B, C, H, W) in [0, 1], whose values in the hole are not used
        mask: (B, 1, H, W); mask > 0 is hole

    Returns:
        (B, C, H, W) in [0, 1], equal to the image where mask = 0
    """
    large = F.interpolate(
        prediction, image.shape[-2:], mode="bicubic", antialias=True, align_corners=False
    )
    return torch.where(mask > 0, (large + membrane(image - large, mask)).clamp(0, 1), image)
