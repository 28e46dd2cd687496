"""Fills hidden tokens: all at once or in rounds by confidence, or one after another."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.errors import InputError, check_whole
from inpainting.nn.places import first_places
from inpainting.rng import Generators, uniform_
from inpainting.tokens.sampling import drawn, gumbel, hidden_after
from inpainting.values import Count, Share, Weight


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

    temperature: Weight
    top_k: Count | None
    top_p: Share | None

    def __post_init__(self) -> None:
        if not isinstance(self.temperature, int | float) or self.temperature < 0:
            raise InputError(f"model.drawing.temperature={self.temperature}: type 0 or more")
        if self.top_k is not None:
            check_whole("model.drawing.top_k", self.top_k, 1)
        share = self.top_p
        if share is not None and not (isinstance(share, int | float) and 0 < share <= 1):
            raise InputError(f"model.drawing.top_p={self.top_p}: type a share above 0, up to 1")

    def noise(self, shape: tuple[int, ...], like: Tensor, generators: Generators) -> Tensor | None:
        """Draw what `__call__` needs for logits of a shape (B, ..., V); None at temperature 0."""
        if self.temperature == 0:
            return None
        return uniform_(torch.empty(shape, device=like.device), generators)

    def __call__(self, logits: Tensor, noise: Tensor | None) -> Tensor:
        """Draw a token from each distribution (B, ..., V) with `noise` of it; (B, ...) int64."""
        return drawn(logits, self.temperature, noise, self.top_k, self.top_p)


class Holes(NamedTuple):
    """The hidden tokens of grids, in the order of reading.

    Attributes:
        tokens: (B, h, w) int64; what stands where one is hidden is not read
        places: (B, n) int64, positions of the hidden ones in the flattened grid
        present: (B, n) bool, False where an image has fewer than n
        hidden: (B, h, w) bool, all that are hidden
    """

    tokens: Tensor
    places: Tensor
    present: Tensor
    hidden: Tensor

    def at_places(self, grid: Tensor) -> Tensor:
        """Return what stands at the places (B, n) of another grid (B, h, w)."""
        return grid.flatten(1).gather(1, self.places)

    def uniform(self, grid: Tensor) -> Tensor:
        """Return which images have several places, all with the same token of a grid; (B,) bool."""
        found = self.at_places(grid)
        least = found.masked_fill(~self.present, found.max() + 1).amin(1)
        return (least == found.masked_fill(~self.present, -1).amax(1)) & (self.present.sum(1) > 1)

    def filled(self, found: Tensor) -> Tensor:
        """Return the grids with found tokens (B, n) in the places, (B, h, w)."""
        kept = torch.where(self.present, found, self.at_places(self.tokens))
        return self.tokens.flatten(1).scatter(1, self.places, kept).view_as(self.tokens)

    def revealed(self, grid: Tensor, kept: Tensor) -> "Holes":
        """Hide only some of the tokens, and show those of another grid in the other places.

        Args:
            grid: (B, h, w) int64
            kept: (B, n) bool, the places that stay hidden
        """
        kept = kept & self.present
        shown = torch.where(kept, self.at_places(self.tokens), self.at_places(grid))
        return Holes(self.filled(shown), self.places, kept, self.still_hidden(kept))

    def still_hidden(self, chosen: Tensor) -> Tensor:
        """Return where on the grid the chosen ones (B, n) bool are, (B, h, w) bool."""
        none = torch.zeros_like(self.hidden).flatten(1)
        return none.scatter(1, self.places, chosen).view_as(self.hidden)


def holes_of(tokens: Tensor, hidden: Tensor, length: int | None = None) -> Holes:
    """Find the places of hidden tokens.

    Args:
        tokens: (B, h, w) int64
        hidden: (B, h, w) bool
        length: find the first hidden tokens of each image, so many; None finds all, and asks the
            device how many they are
    """
    flat = hidden.flatten(1)
    if length is None:
        length = max(1, int(flat.sum(1).max()))
    return Holes(tokens, *first_places(flat, length), hidden)


class Filled(NamedTuple):
    """What a transformer filled.

    Attributes:
        tokens: (B, h, w) int64
        logits: (B, n, V), those that the token in each place was drawn from
    """

    tokens: Tensor
    logits: Tensor

    def shares(self, holes: Holes) -> Tensor:
        """Return the network's probability of each token, (B, V, h, w); of a known one it is 1.

        It is that of all tokens, whatever temperature and limits the drawing has.
        """
        places = holes.places[..., None].expand_as(self.logits)
        certain = F.one_hot(self.tokens.flatten(1), self.logits.shape[-1]).float()
        found = certain.scatter(1, places, self.logits.float().softmax(-1))
        found = torch.where(holes.hidden.flatten(1)[..., None], found, certain)
        return found.unflatten(1, self.tokens.shape[1:]).permute(0, 3, 1, 2)


def in_rounds(
    logits_of: Callable[[Tensor, Tensor, Tensor], Tensor],
    holes: Holes,
    draw: TokenDrawing,
    rounds: int,
    choice_temperature: float,
    generators: Generators,
) -> Filled:
    """Fill hidden tokens in rounds that keep the most confident ones (MaskGIT, arXiv 2202.04200).

    Each round draws all tokens that are still hidden, keeps those with the highest probability,
    and hides the others again. One round keeps all at once.

    Args:
        logits_of: maps tokens (B, h, w), which are hidden (B, h, w) bool, and places (B, n) to the
            logits of the places, (B, n, V)
        holes: what is to be filled
        draw: how tokens are drawn
        rounds: 1 or more, each one call of `logits_of`
        choice_temperature: of the noise on the log probabilities by which tokens are kept, which
            falls to 0 with the last round
        generators: one for all, one for each of the B images, or None
    """
    kept = torch.empty(0)
    count, still, tokens = holes.present.sum(1), holes.present, holes.tokens
    size = tokens.flatten(1).shape
    for round_ in range(1, rounds + 1):
        logits = logits_of(tokens, holes.still_hidden(still), holes.places).float()  # (B, n, V)
        # Noise is drawn for the whole grid, so that no image's depends on n, that is on the others.
        noise = draw.noise((*size, logits.shape[-1]), logits, generators)
        if noise is not None:
            noise = noise.gather(1, holes.places[..., None].expand_as(logits))
        new = draw(logits, noise)
        confidence = logits.log_softmax(-1).gather(-1, new[..., None])[..., 0]
        temperature = choice_temperature * (1 - round_ / rounds)
        if temperature:
            uniform = uniform_(torch.empty(size, device=logits.device), generators)
            confidence = confidence + temperature * gumbel(uniform.gather(1, holes.places))
        tokens = holes.filled(torch.where(still, new, holes.at_places(tokens)))
        kept = logits if round_ == 1 else torch.where(still[..., None], logits, kept)
        # The least confident ones are hidden again; those known before never are.
        ranks = confidence.masked_fill(~still, math.inf).argsort(1).argsort(1)
        still = ranks < hidden_after(round_, rounds, count)[:, None]
    return Filled(tokens, kept)


def one_by_one(
    written: Generator[Tensor, Tensor, None],
    holes: Holes,
    draw: TokenDrawing,
    generators: Generators,
) -> Filled:
    """Fill hidden tokens one after another.

    Args:
        written: yields the logits (B, V) of the next token, and gets the one that was drawn
        holes: what is to be filled
        draw: how tokens are drawn
        generators: one for all, one for each of the B images, or None
    """
    found, given, logits = [], [], next(written, None)
    while logits is not None:
        given.append(logits)
        found.append(draw(logits, draw.noise(logits.shape, logits, generators)))
        try:
            logits = written.send(found[-1])
        except StopIteration:
            logits = None
    return Filled(holes.filled(torch.stack(found, 1)), torch.stack(given, 1))
