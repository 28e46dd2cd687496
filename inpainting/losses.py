"""Reconstruction and adversarial losses."""

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_error(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean squared error of each image, over the whole image or a region.

    Args:
        prediction: (B, C, H, W)
        target: (B, C, H, W)
        weight: (B, 1, H, W) in [0, 1], the region, for instance the mask; None is the whole image

    Returns:
        (B,); 0 for an image whose region is empty
    """
    return _mean((prediction.float() - target.float()).square(), weight)


def absolute_error(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean absolute error of each image; arguments as in `squared_error`."""
    return _mean((prediction.float() - target.float()).abs(), weight)


def _mean(error: Tensor, weight: Tensor | None) -> Tensor:
    """Average an error (B, C, H, W) over the region `weight` (B, 1, H, W), giving (B,)."""
    if weight is None:
        return error.mean(dim=(1, 2, 3))
    total = (error * weight).sum(dim=(1, 2, 3))
    return total / (weight.sum(dim=(1, 2, 3)) * error.shape[1]).clamp(min=1e-8)


def adversarial(logits: Tensor, real: bool) -> Tensor:
    """Return the binary cross-entropy of a discriminator (arXiv 1406.2661, eq. 1).

    Args:
        logits: any shape
        real: the target of all logits: True is real, False is fake

    Returns:
        scalar, the mean; ln 2 = 0.693 if the discriminator cannot distinguish real from fake
    """
    logits = logits.float()
    target = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target)


def focal_frequency(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the focal frequency loss of each image (arXiv 2012.12821, eq. 8).

    It uses alpha = 1 and the whole image as one patch. The loss is the mean squared distance of the
    two spectra, where each frequency is weighted by its distance divided by the largest distance in
    its channel. No gradient flows through the weights.

    Args:
        prediction: (B, C, H, W)
        target: (B, C, H, W)
        weight: (B, 1, H, W), the region; outside it the images count as equal. None is the whole
            image

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
