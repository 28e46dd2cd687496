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


def cross_entropy(logits: Tensor, image: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the binary cross-entropy of each image, summed over its pixels and channels.

    It is the negative log-likelihood of images whose levels are taken as probabilities (arXiv
    1312.6114, appendix C.1). Summed, not averaged, because it is weighed against a divergence that
    is summed over the latent.

    Args:
        logits: (B, C, H, W), whose sigmoid is the prediction
        image: (B, C, H, W) in [0, 1]
        weight: (B, 1, H, W), a factor for each pixel; None is 1 everywhere

    Returns:
        (B,)
    """
    error = F.binary_cross_entropy_with_logits(logits.float(), image.float(), reduction="none")
    return (error if weight is None else error * weight).sum(dim=(1, 2, 3))


def prior_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return sum(mean² + exp(logvar) - 1 - logvar) of each latent, (B,).

    This is twice the Kullback-Leibler divergence from a standard normal distribution (arXiv
    1312.6114, appendix B): with a weight of 1/2, as in report 001, it is the divergence itself.

    Args:
        mean: (B, latent)
        logvar: (B, latent), the logarithm of the variance
    """
    mean, logvar = mean.float(), logvar.float()
    return (mean.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def discriminator_loss(kind: str, logits: Tensor, real: bool) -> Tensor:
    """Return the loss of a discriminator, a scalar mean.

    Args:
        kind: "logistic", see `adversarial`, or "hinge" (arXiv 1802.05957, eq. 17)
        logits: (B,)
        real: True for the logits of real images
    """
    if kind == "logistic":
        return adversarial(logits, real)
    logits = logits.float()
    return F.relu(1 - logits if real else 1 + logits).mean()


def fooling_loss(kind: str, logits: Tensor) -> Tensor:
    """Return the loss of a generator whose images get these logits, a scalar mean.

    Args:
        kind: "logistic" is the non-saturating loss (arXiv 1406.2661, section 3); "hinge" is the
            negative mean logit (arXiv 1802.05957, eq. 16)
        logits: (B,), of fake images
    """
    return adversarial(logits, True) if kind == "logistic" else -logits.float().mean()


def gradient_penalty(logits: Tensor, image: Tensor) -> Tensor:
    """Return the mean squared norm of the gradient of logits at real images (R1, arXiv 1801.04406).

    Args:
        logits: (B,), of each image
        image: (B, C, H, W), which requires a gradient

    Returns:
        scalar, through which a gradient flows to the discriminator
    """
    (slope,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return slope.float().square().sum(dim=(1, 2, 3)).mean()
