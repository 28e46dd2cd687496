"""Draws tokens from logits: temperature, top-k and nucleus sampling; rounds by confidence."""

import math

import torch
from torch import Tensor


def filtered(logits: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """Set the logits (..., V) of unlikely tokens to minus infinity.

    Args:
        logits: of all tokens
        top_k: keep the k most likely tokens; None keeps all
        top_p: keep the most likely tokens whose probabilities sum to this (arXiv 1904.09751); None
            keeps all
    """
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -math.inf)
    if top_p is not None and top_p < 1:
        ordered, index = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(-1)
        # A token stays if those before it do not reach the sum: so the most likely one always does.
        beyond = probabilities.cumsum(-1) - probabilities >= top_p
        logits = logits.masked_fill(beyond.scatter(-1, index, beyond), -math.inf)
    return logits


def drawn(
    logits: Tensor,
    temperature: float,
    uniform: Tensor | None,
    top_k: int | None,
    top_p: float | None,
) -> Tensor:
    """Draw a token from each distribution, or take the most likely one.

    Args:
        logits: (..., V)
        temperature: divides the logits; 0 takes the most likely token
        uniform: (..., V), drawn from [0, 1); not used at temperature 0
        top_k: see `filtered`
        top_p: see `filtered`

    Returns:
        (...) int64
    """
    if temperature == 0:
        return logits.argmax(-1)
    kept = filtered(logits.float() / temperature, top_k, top_p)
    # The maximum of logits plus Gumbel noise is a sample of their softmax.
    return (kept + gumbel(uniform)).argmax(-1)


def gumbel(uniform: Tensor) -> Tensor:
    """Turn numbers drawn uniformly from [0, 1) into Gumbel noise of the same shape."""
    return -(-uniform.clamp(min=1e-20).log()).log()


def kept_hidden(uniform: Tensor, order: Tensor, present: Tensor) -> Tensor:
    """Choose hidden tokens at random, about as many as stay hidden after some round.

    It rounds up where `hidden_after` rounds down, so that a step always has something to predict.

    Args:
        uniform: (B,), drawn from [0, 1): how far the rounds have come
        order: (B, n), drawn from [0, 1); the tokens with the smallest numbers are chosen
        present: (B, n) bool, the tokens that there are

    Returns:
        (B, n) bool, at least one where any is present
    """
    left = ((math.pi / 2 * uniform).cos() * present.sum(1)).ceil()
    return (order.masked_fill(~present, 2).argsort(1).argsort(1) < left[:, None]) & present


def hidden_after(round_: int, rounds: int, hidden: Tensor) -> Tensor:
    """Return how many tokens stay hidden after a round (MaskGIT, arXiv 2202.04200, section 3.3).

    Args:
        round_: number of the round, from 1
        rounds: number of all rounds
        hidden: (B,) int64, tokens hidden at first

    Returns:
        (B,) int64; 0 after the last round, and each round reveals one at least
    """
    share = math.cos(math.pi / 2 * round_ / rounds)
    left = (share * hidden).floor().long()
    return torch.minimum(left, (hidden - round_).clamp(min=0)) if round_ < rounds else left * 0
