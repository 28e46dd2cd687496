"""The transformers of report 000 over grids of tokens, for TokenBERT and TokenGPT.

With 8,192 tokens, six layers of 512 and a feed-forward width of 2,048 they have 27,311,104 and
52,535,808 parameters.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from positional_encodings.torch_encodings import PositionalEncoding2D
from torch import Tensor, nn

from inpainting.nn.places import first_places, taken
from inpainting.nn.transformer import DecoderLayer, EncoderLayer, KeysValues
from inpainting.values import Count, Natural, Share


class _Embedding(nn.Module):
    """Vectors of tokens, plus sines and cosines of their row and column."""

    def __init__(self, count: int, width: int):
        super().__init__()
        self.vectors = nn.Embedding(count, width)
        self._places = PositionalEncoding2D(width)

    def places(self, height: int, width: int) -> Tensor:
        """Return the encoding of every position of a grid, (height * width, vector's length)."""
        vectors = self.vectors.weight
        like = vectors.new_empty(1, height, width, vectors.shape[1])
        return self._places(like)[0].flatten(0, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map grids (B, h, w) to (B, h * w, width)."""
        return self.vectors(tokens).flatten(1, 2) + self.places(*tokens.shape[1:])


@torch.no_grad()
def start_from(network: "TokenEncoder | TokenEncoderDecoder", vectors: Tensor) -> None:
    """Let like tokens start with like embeddings and like rows of the head.

    The vectors are projected at random to unit variance, and a tenth of the embedding's own start
    is kept, by which tokens of equal vectors differ.

    Args:
        network: is about to be trained
        vectors: (V, d), see `Tokenizer.vectors_of_tokens`
    """
    count, length = vectors.shape
    own, head = network.embedding.vectors.weight, network.head.weight
    assert count == len(head), "one vector for each token"
    deviations = (vectors - vectors.mean(0)) / vectors.std(0).clamp(min=1e-6)
    projection = torch.randn(length, own.shape[1], device=own.device) / length**0.5
    own[:count] = deviations.to(own.device, own.dtype) @ projection + 0.1 * own[:count]
    head.copy_(own[:count] / own.shape[1] ** 0.5)  # logits of unit variance for unit inputs


class TokenEncoder(nn.Module):
    """An encoder that predicts all tokens of a grid at once, from those that are not hidden.

    Args:
        vocab_size: number of different tokens
        mask_token: the token that stands for a hidden one; None gives it a vector of its own
        width: of a token's vector
        layers: of the encoder
        heads: of each attention
        hidden: width of the feed-forward networks
        dropout: in training
    """

    def __init__(
        self,
        vocab_size: int,
        mask_token: Natural | None,
        width: Count = 512,
        layers: Count = 6,
        heads: Count = 8,
        hidden: Count = 2048,
        dropout: Share = 0.1,
    ):
        super().__init__()
        own = mask_token is None
        self.mask_token = vocab_size if own else mask_token
        self.embedding = _Embedding(vocab_size + own, width)
        self.encoder = nn.ModuleList(
            [EncoderLayer(width, heads, hidden, dropout) for _ in range(layers)]
        )
        self.head = nn.Linear(width, vocab_size)

    def forward(self, tokens: Tensor, hidden: Tensor, places: Tensor) -> Tensor:
        """Return the logits at some places; of all others none are computed.

        Args:
            tokens: (B, h, w) int64; those that are hidden are not read
            hidden: (B, h, w) bool
            places: (B, n) int64, positions in the flattened grid

        Returns:
            (B, n, vocab_size)
        """
        x = self.embedding(torch.where(hidden, self.mask_token, tokens))
        for layer in self.encoder:
            x = layer(x)
        return self.head(taken(x, places))


class Memory(NamedTuple):
    """What a decoder looks at.

    Attributes:
        layers: keys and values of the encoded tokens for each layer of the decoder
        seen: (B, length) bool, which of the tokens may be looked at; None is all
    """

    layers: list[KeysValues]
    seen: Tensor | None


class TokenEncoderDecoder(nn.Module):
    """An encoder of the known tokens, and a decoder that writes the hidden ones in reading order.

    Each step of the decoder gets the token before, at the position of the token that it is to
    write, so that it knows where it writes.

    Args:
        vocab_size: number of different tokens
        width: of a token's vector
        layers: of the encoder, and of the decoder
        heads: of each attention
        hidden: width of the feed-forward networks
        dropout: in training
    """

    def __init__(
        self,
        vocab_size: int,
        width: Count = 512,
        layers: Count = 6,
        heads: Count = 8,
        hidden: Count = 2048,
        dropout: Share = 0.1,
    ):
        super().__init__()
        self.start = vocab_size  # [SoS]
        self.embedding = _Embedding(vocab_size + 1, width)
        self.encoder = nn.ModuleList(
            [EncoderLayer(width, heads, hidden, dropout) for _ in range(layers)]
        )
        self.decoder = nn.ModuleList(
            [DecoderLayer(width, heads, hidden, dropout) for _ in range(layers)]
        )
        self.head = nn.Linear(width, vocab_size)

    def memory(self, tokens: Tensor, hidden: Tensor, known: int | None = None) -> Memory:
        """Encode the known tokens.

        Args:
            tokens: (B, h, w) int64; those that are hidden are not read
            hidden: (B, h, w) bool
            known: how many known tokens the image with the most has, so that no place is computed
                in vain; None computes all places
        """
        seen, x = ~hidden.flatten(1), self.embedding(torch.where(hidden, self.start, tokens))
        if known is not None:
            places, seen = first_places(seen, max(known, 1))
            x = taken(x, places)
        if known is not None and bool(seen.all()):
            seen = None  # attention is faster without a mask
        else:
            # An image without a known token looks at its first place, where [SoS] stands.
            seen = seen.clone()
            seen[:, 0] |= ~seen.any(1)
        for layer in self.encoder:
            x = layer(x, seen)
        return Memory([layer.to_memory.keys_values(x) for layer in self.decoder], seen)

    def _inputs(self, before: Tensor, places: Tensor, grid: tuple[int, int]) -> Tensor:
        """Embed the tokens (B, n) before those to be written at places (B, n) of a grid."""
        return self.embedding.vectors(before) + self.embedding.places(*grid)[places]

    def forward(self, tokens: Tensor, hidden: Tensor, places: Tensor) -> Tensor:
        """Return the logits of the hidden tokens, each given all those before it.

        Args:
            tokens: (B, h, w) int64, the true ones
            hidden: (B, h, w) bool
            places: (B, n) int64, positions of hidden tokens, in the order in which they are written

        Returns:
            (B, n, vocab_size)
        """
        memory = self.memory(tokens, hidden)
        written = tokens.flatten(1).gather(1, places)
        before = torch.cat([torch.full_like(written[:, :1], self.start), written[:, :-1]], 1)
        x = self._inputs(before, places, tokens.shape[1:])
        for layer, keys_values in zip(self.decoder, memory.layers, strict=True):
            x = layer(x, keys_values, memory.seen)
        return self.head(x)

    def written(self, tokens: Tensor, hidden: Tensor, places: Tensor) -> Iterator[Tensor]:
        """Yield the logits (B, vocab_size) of one hidden token after another.

        Send the token (B,) that was drawn from them back. Keys and values of what is written are
        kept, so each step goes through the decoder with one token.

        Args:
            tokens: see `memory`
            hidden: see `memory`
            places: see `forward`
        """
        memory = self.memory(tokens, hidden, int((~hidden).sum((1, 2)).max()))
        token = torch.full_like(places[:, 0], self.start)
        cache = None
        for position in range(places.shape[1]):
            at = slice(position, position + 1)
            x = self._inputs(token[:, None], places[:, at], tokens.shape[1:])
            cache = cache or [layer.empty_cache(x, places.shape[1]) for layer in self.decoder]
            for layer, own, keys_values in zip(self.decoder, cache, memory.layers, strict=True):
                x = layer.step(x, position, own, keys_values, memory.seen)
            token = yield self.head(x[:, 0])
