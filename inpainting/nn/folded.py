"""The averaged network prepared for sampling: in a given precision, with folded batch norms."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inpainting.nn.average import Average


def fold(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode that computes the same function with fewer operations.

    A batch norm that follows a convolution in an `nn.Sequential` is merged into the convolution's
    weights. In bfloat16 the result is also more accurate, provided that the batch norm is folded
    before the weights are rounded.
    """
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i, (first, second) in enumerate(pairwise(list(module))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return network


class Folded:
    """Keeps a folded copy of an averaged network and updates the copy on request.

    The class is not a module, so that the copy stays out of the state dict of the method that owns
    it.

    Args:
        average: the averaged network to copy

    Attributes:
        compiled: True compiles the copy when it is made
    """

    def __init__(self, average: Average):
        self.average, self.compiled = average, False
        self._copy: nn.Module | None = None
        self._kind: tuple[torch.dtype, torch.device] | None = None
        self._changes = 0

    def at(self, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """Return a folded copy of the current average in this precision, on this device."""
        with torch.inference_mode(False), torch.no_grad():  # inference tensors could not be updated
            if self._kind != (dtype, device):
                self._copy = fold(self.average.network).to(device, dtype)
                if self.compiled:
                    self._copy.compile()
            elif self._changes != self.average.changes:
                self._copy.load_state_dict(fold(self.average.network).state_dict())
        self._kind, self._changes = (dtype, device), self.average.changes
        return self._copy
