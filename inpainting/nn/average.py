"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A copy of a network that follows the network slowly and is used only for evaluation.

    The running statistics of batch norms are averaged too: the averaged weights produce other
    activations than the current weights, so the current statistics would not fit them. The copy is
    always in evaluation mode and part of the state dict, so it resumes with everything else.

    Args:
        network: the network to follow, starting from its current weights

    Attributes:
        network: the averaged copy
        changes: how often the averaged weights have changed, which tells `Folded` to refresh
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.train(False)
        self.changes = 0
        self.register_load_state_dict_post_hook(_note_change)

    def train(self, mode: bool = True) -> "Average":
        """Stay in evaluation mode, whatever the mode asked for."""
        return super().train(False)

    @torch.no_grad()
    def update(self, network: nn.Module, decay: float) -> None:
        """Move towards the network: average = decay * average + (1 - decay) * network."""
        followed, following = _floating(network), _floating(self.network)
        torch._foreach_lerp_(following, followed, 1 - decay)
        self.changes += 1

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the averaged network's output."""
        return self.network(*inputs)


def _note_change(average: Average, _: object) -> None:
    average.changes += 1


def _floating(network: nn.Module) -> list[Tensor]:
    tensors = (*network.parameters(), *network.buffers())
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def decay_after(steps: int, decay: float) -> float:
    """Return the decay after n steps, which starts low so that the random start is soon forgotten.

    The decay is min(decay, (1 + n) / (10 + n)), TensorFlow's rule for `num_updates`.
    """
    return min(decay, (1 + steps) / (10 + steps))
