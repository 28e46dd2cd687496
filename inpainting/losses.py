"""Reconstruction and adversarial losses."""

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_error(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error of each image, over all of it or over a region.

    Args:
        prediction: (B, C, H, W)
        target: (B, C, H, W)
        weight: (B, 1, H, W), the region, soft or hard (for instance the mask); None is everywhere

    Returns:
        (B,); 0 for an image whose region is empty
    """
    return _mean((prediction.float() - target.float()).square(), weight)


def absolute_error(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute error of each image; see `squared_error`."""
    return _mean((prediction.float() - target.float()).abs(), weight)


def _mean(error: Tensor, weight: Tensor | None) -> Tensor:
    """Of each image (B, C, H, W), over a region (B, 1, H, W): (B,)."""
    if weight is None:
        return error.mean(dim=(1, 2, 3))
    total = (error * weight).sum(dim=(1, 2, 3))
    return total / (weight.sum(dim=(1, 2, 3)) * error.shape[1]).clamp(min=1e-8)


def adversarial(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of logits against "all real" or "all fake" (arXiv 1406.2661, eq. 1).

    Returns:
        scalar; ln 2 = 0.693 for a discriminator that cannot tell
    """
    logits = logits.float()
    target = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target)


def focal_frequency(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Focal frequency loss of each image (arXiv 2012.12821, eq. 8, alpha = 1, whole image).

    The squared distance of the two spectra, each frequency weighted by how far it is off: the
    distance itself over the image's largest, through which no gradient goes.

    Args:
        prediction: (B, C, H, W)
        target: (B, C, H, W)
        weight: (B, 1, H, W), the region outside which both count as equal; None is everywhere

    Returns:
        (B,)
    """
    difference = prediction.float() - target.float()
    if weight is not None:
        difference = difference * weight
    spectrum = torch.fft.fft2(difference, norm="ortho")
    squared = spectrum.real.square() + spectrum.imag.square()
    focus = squared.detach().sqrt()
    focus = focus / focus.amax(dim=(2, 3), keepdim=True).clamp(min=1e-8)
    return (focus * squared).mean(dim=(1, 2, 3))
