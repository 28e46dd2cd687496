"""Which tokens a hole hides."""

import torch.nn.functional as F
from torch import Tensor


def hidden_tokens(mask: Tensor, stride: int, reach: int) -> Tensor:
    """Return which tokens a hole hides: those whose patch it touches, widened by `reach`.

    Args:
        mask: (B, 1, H, W); any value above 0 belongs to the hole
        stride: side of a token's patch, in pixels
        reach: how far beyond its patch a token is hidden, in pixels

    Returns:
        (B, h, w) bool
    """
    hole = (mask > 0).float()
    size = stride + 2 * reach
    return F.max_pool2d(F.pad(hole, (reach,) * 4), size, stride)[:, 0] > 0
