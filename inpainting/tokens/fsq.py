"""A tokenizer by finite scalar quantisation (FSQ, arXiv 2309.15505); a token sees one patch."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.tokens.tokenizer import Tokenizer
from inpainting.values import Count


class Quantizer(nn.Module):
    """Rounds each number of a short vector to one of a few levels (paper, section 3.1).

    A vector of d numbers has one of prod(levels) values, which are the tokens. Gradients pass the
    rounding as if it were not there. Nothing is learnt and no code can die.

    Args:
        levels: number of levels of each number, 2 or more

    Raises:
        InputError: a level is below 2, or there are none.
    """

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        if not levels or min(levels) < 2:
            raise InputError(f"tokenizer.levels={list(levels)}: type whole numbers of 2 or more")
        self.vocab_size = prod(levels)
        counts = torch.tensor(levels)
        place = torch.tensor([prod(levels[:i]) for i in range(len(levels))])
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("place", place, persistent=False)

    def extra_repr(self) -> str:
        """Return the levels, by which cached weights of others are told apart."""
        return f"levels={self.counts.tolist()}"

    def levels(self, z: Tensor) -> Tensor:
        """Round vectors (..., d) to whole levels from 0 to count - 1; the gradient passes."""
        # tanh is stretched a little beyond the outermost levels, so that these can be reached; an
        # even count is shifted by half a level (paper, appendix A.1)
        half = (self.counts - 1) * (1 + 1e-3) / 2
        offset = torch.where(self.counts % 2 == 0, 0.5, 0.0)
        shift = torch.atanh(offset / half)
        bounded = (z.float() + shift).tanh() * half - offset
        rounded = bounded + (bounded.round() - bounded).detach()
        return rounded + self.counts // 2

    def tokens(self, z: Tensor) -> Tensor:
        """Map vectors (..., d) to tokens (...) int64."""
        return (self.levels(z).round().long() * self.place).sum(-1)

    def codes(self, tokens: Tensor) -> Tensor:
        """Map tokens (...) to the vectors (..., d) in [-1, 1] that they stand for."""
        return self.scaled((tokens[..., None] // self.place) % self.counts)

    def scaled(self, levels: Tensor) -> Tensor:
        """Scale levels (..., d) to [-1, 1]."""
        return (levels - self.counts // 2) / (self.counts // 2)


class _Residual(nn.Module):
    """Two convolutions and a residual; with a kernel of 1, pixels stay apart."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(1, channels) if kernel > 1 else nn.Identity(),
            nn.GELU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2),
            nn.GELU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class FSQTokenizer(Tokenizer):
    """An encoder that sees each patch by itself, FSQ, and a decoder that looks around.

    As no token depends on another patch, a hole cannot change the tokens beside it.

    Args:
        channels: image channels
        stride: side of a patch, in pixels; a power of 2
        levels: see `Quantizer`
        width: channels of the encoder's and of the decoder's first maps

    Raises:
        InputError: the stride is no power of 2.
    """

    reach = 0

    def __init__(self, channels: int, stride: Count, levels: Sequence[Count], width: Count):
        super().__init__()
        if stride < 2 or stride & (stride - 1):
            raise InputError(f"tokenizer.stride={stride}: type 2, 4, 8 or 16")
        self.quantizer = Quantizer(levels)
        self.stride, self.vocab_size = stride, self.quantizer.vocab_size
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width, stride, stride),
            *(_Residual(width, 1) for _ in range(3)),
            nn.GELU(),
            nn.Conv2d(width, len(levels), 1),
        )
        doublings, side, layers = [], stride, width
        while side > 1:
            smaller = max(32, layers // 2)
            doublings += [
                _Residual(layers, 3),
                nn.Conv2d(layers, 4 * smaller, 1),
                nn.PixelShuffle(2),
            ]
            side, layers = side // 2, smaller
        self.decoder = nn.Sequential(
            nn.Conv2d(len(levels), width, 3, padding=1),
            _Residual(width, 3),
            *doublings,
            _Residual(layers, 3),
            nn.Conv2d(layers, channels, 3, padding=1),
        )

    def vectors_of_tokens(self) -> Tensor:
        """See `Tokenizer`; the codes."""
        return self.quantizer.codes(
            torch.arange(self.vocab_size, device=self.quantizer.counts.device)
        )

    def encode(self, image: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return self.quantizer.tokens(self._vectors(image))

    def decode(self, tokens: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return self._image(self.quantizer.codes(tokens))

    def decode_mixed(self, shares: Tensor) -> Tensor:
        """See `Tokenizer`; the mean of the tokens' vectors."""
        return self._image(torch.einsum("bvhw,vc->bhwc", shares, self.vectors_of_tokens()))

    def forward(self, image: Tensor) -> Tensor:
        """Encode and decode images, so that gradients pass: the reconstruction to be trained."""
        return self._image(self.quantizer.scaled(self.quantizer.levels(self._vectors(image))))

    def _vectors(self, image: Tensor) -> Tensor:
        return self.encoder(image * 2 - 1).permute(0, 2, 3, 1)

    def _image(self, codes: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(codes.permute(0, 3, 1, 2)).float())
