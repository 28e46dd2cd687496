"""TokenGPT: a decoder writes the tokens that a hole hides, one after another (report 000).

Its variant 2: an encoder reads the known tokens, and a decoder with a causal mask writes the hidden
ones in reading order from [SoS]. The objective is the cross-entropy of each true token given all
those before it. Keys and values are kept while it writes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inpainting.methods.token_inpainter import TokenInpainter
from inpainting.nn.token_transformers import TokenEncoderDecoder
from inpainting.rng import Generators
from inpainting.tokens.decoding import Filled, Holes, one_by_one
from inpainting.tokens.masking import hidden_tokens


class TokenGPT(TokenInpainter):
    """Predicts each hidden token from the known ones and from those written before it.

    Args:
        network: builds the transformer for a number of tokens
        options: keyword arguments of `TokenInpainter`
    """

    def __init__(self, *, network: Callable[..., TokenEncoderDecoder], **options: Any):
        super().__init__(**options)
        self.network = network(vocab_size=self.tokenizer.vocab_size)
        self._calls = 0.0

    def on_test_start(self) -> None:
        """Count the tokens that the test's holes hide, each of which is one call of the decoder."""
        masks = torch.from_numpy(self.trainer.datamodule.datasets["test"].masks)
        counts = [
            hidden_tokens(part[:, None], self.tokenizer.stride, self.reach).sum((1, 2))
            for part in masks.split(256)
        ]
        self._calls = float(torch.cat(counts).float().mean())

    def details(self) -> dict[str, Any]:
        """Return how tokens are filled, and the decoder's calls for a hole, on average."""
        return {
            "network_calls": self._calls,
            "drawing": str(self.drawing),
            "num_completions": self.num_completions,
            **self.frozen_facts.get("tokenizer", {}),
        }

    def fill_tokens(self, holes: Holes, generators: Generators) -> Filled:
        """See `TokenInpainter`."""
        written = self.network.written(holes.tokens, holes.hidden, holes.places)
        return one_by_one(written, holes, self.drawing, generators)

    def logits(self, target: Tensor, holes: Holes) -> Tensor:
        """See `TokenInpainter`; each given the true ones before it."""
        given = torch.where(holes.hidden, target, holes.tokens)
        return self.network(given, holes.hidden, holes.places)
