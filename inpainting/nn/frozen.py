"""A context in which a network passes gradients on without collecting any."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through the network without accumulating in its parameters.

    All parameters require gradients again when the context ends.
    """
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
