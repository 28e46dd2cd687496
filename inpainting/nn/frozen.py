"""A network that lets gradients through and keeps none."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network, none is left in it."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
