"""TokenGPT: a decoder writes the tokens that a hole hides, one after another (report 000).

Its variant 2: an encoder reads the known tokens, and a decoder with a causal mask writes the hidden
ones in reading order from [SoS]. The objective is the cross-entropy of each true token given all
those before it. Keys and values are kept while it writes.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.errors import check_whole
from inpainting.methods.token_inpainter import TokenInpainter
from inpainting.nn.token_transformers import TokenEncoderDecoder
from inpainting.rng import Generators
from inpainting.tokens.decoding import one_by_one
from inpainting.tokens.masking import hidden_places


class TokenGPT(TokenInpainter):
    """Predicts each hidden token from the known ones and from those written before it.

    Args:
        network: builds the transformer for a number of tokens
        train_tokens: hidden tokens of an image that a training step writes, the first ones; a
            number that no step has to ask the device for
        options: keyword arguments of `TokenInpainter`

    Raises:
        InputError: `train_tokens` is below 1.
    """

    def __init__(
        self, *, network: Callable[..., TokenEncoderDecoder], train_tokens: int, **options: Any
    ):
        super().__init__(**options)
        check_whole("model.train_tokens", train_tokens, 1)
        self.network = network(vocab_size=self.tokenizer.vocab_size)
        self.train_tokens = train_tokens

    def details(self) -> dict[str, Any]:
        """Return how tokens are filled."""
        return {
            "drawing": str(self.drawing),
            "num_completions": self.num_completions,
            **self.facts,
        }

    def fill_tokens(self, tokens: Tensor, hidden: Tensor, generators: Generators) -> Tensor:
        """See `TokenInpainter`."""
        length = int(hidden.sum((1, 2)).max())
        if not length:
            return tokens
        places, present = hidden_places(hidden, length)
        written = self.network.written(tokens, hidden, places)
        return one_by_one(written, tokens, places, present, self.drawing, generators)

    def hidden_logits(self, target: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
        """See `TokenInpainter`; each given the true ones before it."""
        places, _ = hidden_places(hidden, hidden[0].numel())
        logits = self.network(torch.where(hidden, target, tokens), hidden, places)
        at = places.argsort(1)[..., None].expand_as(logits)
        return logits.gather(1, at).unflatten(1, hidden.shape[1:])

    def token_loss(self, target: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Compute the mean cross-entropy of the first hidden tokens of each image."""
        places, present = hidden_places(hidden, min(self.train_tokens, hidden[0].numel()))
        # What stands in the hole of `tokens` is not read; what is written there is the truth.
        given = torch.where(hidden, target, tokens)
        logits = self.network(given, hidden, places).transpose(1, 2).float()
        error = F.cross_entropy(logits, target.flatten(1).gather(1, places), reduction="none")
        return (error * present).sum(1) / present.sum(1).clamp(min=1)
