"""Large holes from coarse to fine, by a network that takes images of any size.

A hole that is larger than those of the training is filled at the scale of the training first, where
it is as large as those were. That completion is enlarged and filled again at twice the size, up to
the image's own, each time with the coarser completion in the hole (compare the coarse-to-fine
refinement of LaMa's predictions, arXiv 2206.13644, which optimises instead).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.images.algebra import composite, resize
from inpainting.images.membrane import membrane
from inpainting.methods.sizes import Predict
from inpainting.rng import Generators

LARGEST = 512  # side in pixels up to which the network refines; bounds memory and time


def refined(
    predict: Predict,
    coarse: Tensor,
    image: Tensor,
    mask: Tensor,
    attributes: Tensor | None,
    generator: Generators,
) -> Tensor:
    """Refine a coarse prediction up to the size of the image.

    Args:
        predict: of the network, for any size
        coarse: (B, C, h, w), the prediction for the shrunk image
        image: (B, C, H, W), whose values in the hole are not used
        mask: (B, 1, H, W); mask > 0 is hole
        attributes: (B, A), or None
        generator: passed on to `predict`

    Returns:
        (B, C, H, W), the prediction for the image
    """
    size, prediction = image.shape[-2:], coarse
    while tuple(prediction.shape[-2:]) != tuple(size):
        step = tuple(min(2 * now, whole) for now, whole in zip(prediction.shape[-2:], size))
        if max(step) > LARGEST:
            return seamless(enlarged(prediction, *size), image, mask)
        hole = (resize(mask, *step) > 0).float()  # resizing mixes erased pixels into others
        known = resize(torch.where(mask > 0, 0, image), *step)
        start = seamless(enlarged(prediction, *step), known, hole)
        prediction = predict(start, hole, attributes, generator).float()
    return prediction


def enlarged(image: Tensor, height: int, width: int) -> Tensor:
    """Enlarge (B, C, h, w) to (B, C, height, width) without steps between the pixels."""
    size = (height, width)
    return F.interpolate(image, size, mode="bicubic", align_corners=False).clamp(0, 1)


def seamless(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Paste a prediction into the hole and carry its error at the known pixels smoothly inside.

    Poisson image editing (Pérez et al. 2003, eq. 4), see `membrane`.

    Returns:
        (B, C, H, W), equal to the image where mask = 0
    """
    offset = membrane(image - prediction, mask)
    hole = (mask > 0).to(image.dtype)
    return composite((prediction + offset).clamp(0, 1), image, hole)
