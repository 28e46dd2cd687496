"""Some positions of every sequence of a batch: which ones, and what stands there."""

import torch
from torch import Tensor


def first_places(wanted: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return the positions of the first wanted tokens, in the order of reading.

    Args:
        wanted: (B, L) bool, of flattened grids
        length: how many to return; images with fewer get positions of other tokens too

    Returns:
        positions (B, length) int64, and (B, length) bool, which of them are wanted
    """
    places = (~wanted).to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
    return places, wanted.gather(1, places)


def taken(x: Tensor, places: Tensor) -> Tensor:
    """Return the vectors (B, n, width) at places (B, n) among all (B, length, width)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))
