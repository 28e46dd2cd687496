"""Completions made by hand, as a method would hand them over to be measured."""

import torch
from torch import Tensor

from inpainting.images.evaluated import Completed


def completed(
    completion: Tensor, image: Tensor, mask: Tensor, label: Tensor | None = None
) -> Completed:
    """Completions (B, C, H, W), or several of each image (B, k, C, H, W)."""
    several = completion if completion.dim() == 5 else completion.unsqueeze(1)
    return Completed(torch.arange(len(image)), image, mask, several, several, label)
