"""The exponential moving average of a network's weights."""

import copy

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A copy of a network that follows it slowly, for evaluation alone.

    Batch norms' running statistics are averaged as well: the averaged weights put out other
    activations than the present ones, and the present statistics would not fit them. The copy is
    always in evaluation mode and part of the state dict, so it resumes with everything else.

    Args:
        network: followed from its present weights

    Attributes:
        changes: how often its weights have changed, for what is derived from them
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.train(False)
        self.changes = 0
        self.register_load_state_dict_post_hook(_note_change)

    def train(self, mode: bool = True) -> "Average":
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, network: nn.Module, decay: float) -> None:
        """Move towards the network: average = decay * average + (1 - decay) * network."""
        followed, following = _floating(network), _floating(self.network)
        torch._foreach_lerp_(following, followed, 1 - decay)
        self.changes += 1

    def forward(self, *inputs: Tensor) -> Tensor:
        """The averaged network's output."""
        return self.network(*inputs)


def _note_change(average: Average, _: object) -> None:
    average.changes += 1


def _floating(network: nn.Module) -> list[Tensor]:
    return [one for one in (*network.parameters(), *network.buffers()) if one.is_floating_point()]


def decay_after(steps: int, decay: float) -> float:
    """The decay after so many steps: short at first, so that the random start is soon forgotten.

    min(decay, (1 + n) / (10 + n)), TensorFlow's rule for `num_updates`.
    """
    return min(decay, (1 + steps) / (10 + steps))
