"""Layers of a transformer (arXiv 1706.03762) on torch's fused attention, with a cache for decoding.

They compute what torch's `nn.TransformerEncoderLayer` and `nn.TransformerDecoderLayer` compute with
their defaults (norm after the residual, ReLU), from weights of the same shapes.
"""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class KeysValues:
    """Keys and values of one attention, (B, heads, length, width / heads) each."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention of queries to keys and values that may come from elsewhere.

    Args:
        width: of a token's vector
        heads: among which the width is divided
        dropout: share of the attention that is dropped in training
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.into = nn.Linear(width, 3 * width)  # queries, keys and values
        self.out = nn.Linear(width, width)

    def keys_values(self, tokens: Tensor) -> KeysValues:
        """Project tokens (B, length, width) to keys and values."""
        width = self.out.in_features
        projected = F.linear(tokens, self.into.weight[width:], self.into.bias[width:])
        return KeysValues(*map(self._in_heads, projected.chunk(2, dim=-1)))

    def forward(
        self, tokens: Tensor, source: KeysValues, seen: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Let tokens look at a source.

        Args:
            tokens: (B, length, width)
            source: keys and values of the tokens that are looked at
            seen: (B, source's length) bool, which of them may be looked at; None is all
            causal: let each token look at itself and those before it alone

        Returns:
            (B, length, width)
        """
        width = self.out.in_features
        queries = F.linear(tokens, self.into.weight[:width], self.into.bias[:width])
        inputs = self._in_heads(queries), source.keys, source.values
        dropout = self.dropout if self.training else 0.0
        # For 64 to 144 tokens, torch's kernel of the gradient for CPUs is three times as fast in
        # float32 as in bfloat16; for 400 it is slower. With dropout there is no such kernel.
        in_float32 = (
            torch.is_autocast_enabled("cpu")
            and tokens.device.type == "cpu"
            and torch.is_grad_enabled()
            and not dropout
            and source.keys.shape[2] <= 256
        )
        with torch.autocast("cpu", enabled=False) if in_float32 else nullcontext():
            mixed = F.scaled_dot_product_attention(
                *((x.float() for x in inputs) if in_float32 else inputs),
                attn_mask=None if seen is None else seen[:, None, None],
                dropout_p=dropout,
                is_causal=causal,
            )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _in_heads(self, x: Tensor) -> Tensor:
        """(B, length, width) to (B, heads, length, width / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class _Layer(nn.Module):
    """What both layers have; each part gets a residual and a norm after it.

    Args:
        width: of a token's vector
        heads: of every attention
        hidden: width of the feed-forward network
        dropout: in training
    """

    parts: int  # of the layer, each with its norm

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
        )
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(self.parts)])
        self.dropout = nn.Dropout(dropout)


class EncoderLayer(_Layer):
    """Self-attention and a feed-forward network; see `_Layer` for the arguments."""

    parts = 2

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """(B, length, width) to the same shape; `seen` as in `Attention`."""
        looked = self.attention(x, self.attention.keys_values(x), seen)
        x = self.norms[0](x + self.dropout(looked))
        return self.norms[1](x + self.dropout(self.feed_forward(x)))


class DecoderLayer(_Layer):
    """Causal self-attention, attention to a memory, and a feed-forward network; see `_Layer`."""

    parts = 3

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__(width, heads, hidden, dropout)
        self.to_memory = Attention(width, heads, dropout)

    def forward(self, x: Tensor, memory: KeysValues, seen: Tensor | None = None) -> Tensor:
        """Decode all tokens at once, as training does.

        Args:
            x: (B, length, width)
            memory: `to_memory.keys_values` of the encoder's output
            seen: (B, memory's length) bool, which of the memory is there; None is all

        Returns:
            (B, length, width)
        """
        looked = self.attention(x, self.attention.keys_values(x), causal=True)
        return self._rest(x, looked, memory, seen)

    def step(
        self, x: Tensor, position: int, cache: KeysValues, memory: KeysValues, seen: Tensor | None
    ) -> Tensor:
        """Decode the token at a position, whose predecessors are in the cache, and add it there.

        Args:
            x: (B, 1, width)
            position: of the token
            cache: room for the keys and values of all positions
            memory: see `forward`
            seen: see `forward`

        Returns:
            (B, 1, width)
        """
        own, end = self.attention.keys_values(x), position + 1
        cache.keys[:, :, position:end], cache.values[:, :, position:end] = own.keys, own.values
        before = KeysValues(cache.keys[:, :, :end], cache.values[:, :, :end])
        return self._rest(x, self.attention(x, before), memory, seen)

    def _rest(self, x: Tensor, looked: Tensor, memory: KeysValues, seen: Tensor | None) -> Tensor:
        x = self.norms[0](x + self.dropout(looked))
        x = self.norms[1](x + self.dropout(self.to_memory(x, memory, seen)))
        return self.norms[2](x + self.dropout(self.feed_forward(x)))

    def empty_cache(self, like: Tensor, length: int) -> KeysValues:
        """Return room for `length` positions of tokens such as these (B, ..., width)."""
        heads, width = self.attention.heads, like.shape[-1]
        shape = (len(like), heads, length, width // heads)
        return KeysValues(*(torch.empty(shape, dtype=like.dtype, device=like.device) for _ in "kv"))
