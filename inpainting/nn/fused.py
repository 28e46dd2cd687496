"""A network for inference alone, with its batch norms folded into its convolutions."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fused(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with fewer operations.

    A batch norm that follows a convolution in an `nn.Sequential` becomes part of its weights. At
    bfloat16 this is more exact too, if folded before the weights are rounded.
    """
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i, (first, second) in enumerate(pairwise(list(module))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return network
