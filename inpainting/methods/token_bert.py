"""TokenBERT: an encoder fills the tokens that a hole hides, at once or in rounds (report 000).

Its variant 1: the hidden tokens are replaced by one that stands for them, an encoder predicts all
tokens, and the objective is the cross-entropy of the true ones. Departures: the mask has a token
of its own, some hidden tokens are revealed in training (`reveal=false` undoes it), and rounds by
confidence (MaskGIT, arXiv 2202.04200) draw tokens instead of one shot that takes the likeliest
(`rounds=1`, `drawing.temperature=0`).
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from inpainting.errors import InputError, check_choice, check_whole
from inpainting.methods.token_inpainter import TokenInpainter
from inpainting.nn.token_transformers import TokenEncoder
from inpainting.rng import Generators
from inpainting.tokens.decoding import Filled, Holes, in_rounds
from inpainting.tokens.sampling import kept_hidden
from inpainting.values import Count, Weight


class TokenBERT(TokenInpainter):
    """Predicts all hidden tokens from the known ones.

    Args:
        network: builds the transformer for a number of tokens
        loss_on: "hidden" tokens alone, or "all"
        reveal: True shows the true tokens in some places of each hole in training, in as many as
            the rounds have filled so far (MaskGIT, section 3.2); False hides all of them
        rounds: calls of the network for a filling; 1 takes all tokens at once
        choice_temperature: see `in_rounds`
        options: keyword arguments of `TokenInpainter`

    Raises:
        InputError: a choice is unknown, or a number is out of range.
    """

    def __init__(
        self,
        *,
        network: Callable[..., TokenEncoder],
        loss_on: Literal["hidden", "all"],
        reveal: bool,
        rounds: Count,
        choice_temperature: Weight,
        **options: Any,
    ):
        super().__init__(**options)
        check_choice("model.loss_on", loss_on, ("hidden", "all"))
        check_whole("model.rounds", rounds, 1)
        if choice_temperature < 0:
            raise InputError(f"model.choice_temperature={choice_temperature}: type 0 or more")
        self.network = network(vocab_size=self.tokenizer.vocab_size)
        self.loss_on, self.reveal = loss_on, reveal
        self.rounds, self.choice_temperature = rounds, choice_temperature

    def details(self) -> dict[str, Any]:
        """Return how tokens are filled, and the cost."""
        return {
            "network_calls": self.rounds,
            "drawing": str(self.drawing),
            **self.frozen_facts.get("tokenizer", {}),
            "num_completions": self.num_completions,
        }

    def fill_tokens(self, holes: Holes, generators: Generators) -> Filled:
        """See `TokenInpainter`."""
        how = (self.drawing, self.rounds, self.choice_temperature, generators)
        return in_rounds(self.network, holes, *how)

    def logits(self, target: Tensor, holes: Holes) -> Tensor:
        """See `TokenInpainter`; all at once."""
        return self.network(holes.tokens, holes.hidden, holes.places)

    def to_predict(self, target: Tensor, holes: Holes) -> Holes:
        """See `TokenInpainter`; some of the hidden tokens may be revealed."""
        if not self.reveal:
            return holes
        noise = torch.rand(len(target), 1 + holes.places.shape[1], device=target.device)
        return holes.revealed(target, kept_hidden(noise[:, 0], noise[:, 1:], holes.present))

    def token_loss(self, target: Tensor, holes: Holes) -> Tensor:
        """Compute the mean cross-entropy of each image's hidden tokens, or of all; (B,)."""
        if self.loss_on == "hidden":
            return super().token_loss(target, holes)
        count = target[0].numel()
        places = torch.arange(count, device=target.device).expand(len(target), count)
        present = torch.ones_like(places, dtype=torch.bool)
        return super().token_loss(target, holes._replace(places=places, present=present))
