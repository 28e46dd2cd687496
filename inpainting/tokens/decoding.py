"""Fills hidden tokens: all at once or in rounds by confidence, or one after another."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole
from inpainting.rng import Generators, uniform_
from inpainting.tokens.sampling import drawn, hidden_after


@dataclass(frozen=True)
class TokenDrawing:
    """How tokens are drawn from logits.

    Args:
        temperature: divides the logits; 0 takes the most likely token
        top_k: draw from the k most likely tokens; None from all
        top_p: draw from the most likely tokens whose probabilities sum to this; None from all

    Raises:
        InputError: a number is out of range.
    """

    temperature: float
    top_k: int | None
    top_p: float | None

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise InputError(f"model.drawing.temperature={self.temperature}: type 0 or more")
        if self.top_k is not None:
            check_whole("model.drawing.top_k", self.top_k, 1)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"model.drawing.top_p={self.top_p}: type a share above 0, up to 1")

    def __call__(self, logits: Tensor, generators: Generators) -> Tensor:
        """Draw a token from each distribution (B, ..., V); (B, ...) int64."""
        return drawn(logits, self.temperature, generators, self.top_k, self.top_p)


def in_rounds(
    logits_of: Callable[[Tensor, Tensor], Tensor],
    tokens: Tensor,
    hidden: Tensor,
    draw: TokenDrawing,
    rounds: int,
    choice_temperature: float,
    generators: Generators,
) -> Tensor:
    """Fill hidden tokens in rounds that keep the most confident ones (MaskGIT, arXiv 2202.04200).

    Each round draws all tokens that are still hidden, keeps those with the highest probability,
    and hides the others again. One round keeps all at once.

    Args:
        logits_of: maps tokens (B, h, w) and which are hidden to logits (B, h, w, V)
        tokens: (B, h, w) int64
        hidden: (B, h, w) bool
        draw: how tokens are drawn
        rounds: 1 or more, each one call of `logits_of`
        choice_temperature: of the noise on the log probabilities by which tokens are kept, which
            falls to 0 with the last round
        generators: one for all, one for each of the B images, or None

    Returns:
        (B, h, w)
    """
    count, still = hidden.sum((1, 2)), hidden
    for round_ in range(1, rounds + 1):
        logits = logits_of(tokens, still).float()
        new = draw(logits, generators)
        confidence = logits.log_softmax(-1).gather(-1, new[..., None])[..., 0]
        noise = choice_temperature * (1 - round_ / rounds)
        if noise:
            uniform = uniform_(torch.empty_like(confidence), generators).clamp(min=1e-20)
            confidence = confidence - noise * (-uniform.log()).log()
        tokens = torch.where(still, new, tokens)
        # The least confident ones are hidden again; those known before never are.
        ranks = confidence.masked_fill(~still, math.inf).flatten(1).argsort(1).argsort(1)
        still = (ranks < hidden_after(round_, rounds, count)[:, None]).view_as(hidden)
    return tokens


def one_by_one(
    written: Generator[Tensor, Tensor, None],
    tokens: Tensor,
    places: Tensor,
    present: Tensor,
    draw: TokenDrawing,
    generators: Generators,
) -> Tensor:
    """Fill hidden tokens one after another.

    Args:
        written: yields the logits (B, V) of the next token, and gets the one that was drawn
        tokens: (B, h, w) int64
        places: (B, n) int64, positions in the order in which they are written
        present: (B, n) bool, False where an image has fewer hidden tokens than n
        draw: how tokens are drawn
        generators: one for all, one for each of the B images, or None

    Returns:
        (B, h, w)
    """
    found, logits = [], next(written, None)
    while logits is not None:
        found.append(draw(logits, generators))
        try:
            logits = written.send(found[-1])
        except StopIteration:
            logits = None
    flat = tokens.flatten(1)
    kept = torch.where(present, torch.stack(found, 1), flat.gather(1, places))
    return flat.scatter(1, places, kept).view_as(tokens)
