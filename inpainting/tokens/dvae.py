"""A discrete variational autoencoder (dVAE, as in DALL-E, arXiv 2102.12092, section 2.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.errors import InputError
from inpainting.rng import Generators, uniform_
from inpainting.tokens.tokenizer import Tokenizer
from inpainting.values import Count


class _Block(nn.Module):
    """Two convolutions with a residual; a norm over the map would let every token see all of it."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class DiscreteAutoencoder(Tokenizer):
    """Convolutions to the logits of tokens, and back from their vectors to means and scales.

    Args:
        channels: image channels
        vocab_size: number of different tokens
        width: channels of the first map; doubled at each halving
        halvings: how often the side is halved; 3 makes patches of 8 px
        code: length of a token's vector

    Raises:
        InputError: a number is below 1, or there are fewer than two tokens.
    """

    def __init__(
        self, channels: int, vocab_size: Count, width: Count, halvings: Count, code: Count
    ):
        super().__init__()
        if min(width, halvings, code) < 1 or vocab_size < 2:
            raise InputError(
                f"model.network: vocab_size={vocab_size}, width={width}, halvings={halvings}, "
                f"code={code}: type numbers of 1 or more, and two tokens at least"
            )
        self.vocab_size, self.stride = vocab_size, 2**halvings
        widths = [width * 2**i for i in range(halvings)]
        down: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        self.reach = 1
        for number, size in enumerate(widths):
            after = widths[min(number + 1, halvings - 1)]
            down += [_Block(size), nn.Conv2d(size, after, 4, 2, 1)]
            self.reach += 2**number * (2 + 1)
        self.encoder = nn.Sequential(*down, nn.SiLU(), nn.Conv2d(widths[-1], vocab_size, 1))
        self.vectors = nn.Embedding(vocab_size, code)
        up: list[nn.Module] = [nn.Conv2d(code, widths[-1], 3, padding=1), _Block(widths[-1])]
        for number in reversed(range(halvings)):
            after = widths[max(number - 1, 0)]
            up += [nn.Conv2d(widths[number], 4 * after, 1), nn.PixelShuffle(2), _Block(after)]
        self.decoder = nn.Sequential(*up, nn.SiLU(), nn.Conv2d(width, 2 * channels, 3, padding=1))

    def logits(self, image: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1] to the logits of their tokens, (B, V, h, w)."""
        return self.encoder(image * 2 - 1).float()

    def relaxed(self, logits: Tensor, temperature: float, generators: Generators) -> Tensor:
        """Draw a relaxed token at each position (Gumbel-softmax, arXiv 1611.01144); (B, V, h, w).

        Args:
            logits: (B, V, h, w)
            temperature: above 0; towards 0 the draws become one-hot
            generators: one for all, one for each of the B images, or None
        """
        uniform = uniform_(torch.empty_like(logits), generators).clamp(min=1e-20)
        return ((logits - (-uniform.log()).log()) / temperature).softmax(1)

    def painted(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the mean, and logarithms of the scale, of each pixel.

        Args:
            tokens: (B, V, h, w), shares of each token, which sum to 1

        Returns:
            (B, C, H, W) twice
        """
        mixed = torch.einsum("bvhw,vc->bchw", tokens, self.vectors.weight.to(tokens.dtype))
        return self.decoder(mixed).float().chunk(2, dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """Reconstruct images (B, C, H, W) from their most likely tokens."""
        return self.decode(self.encode(image))

    def vectors_of_tokens(self) -> Tensor:
        """See `Tokenizer`."""
        return self.vectors.weight

    def encode(self, image: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return self.logits(image).argmax(1)

    def decode(self, tokens: Tensor) -> Tensor:
        """See `Tokenizer`."""
        means, _ = self.decoder(self.vectors(tokens).permute(0, 3, 1, 2)).float().chunk(2, dim=1)
        return torch.sigmoid(means)

    def decode_mixed(self, shares: Tensor) -> Tensor:
        """See `Tokenizer`; what the decoder is trained on, too."""
        means, _ = self.painted(shares)
        return torch.sigmoid(means)


def uniform_divergence(logits: Tensor) -> Tensor:
    """Return the divergence of each image's tokens from the uniform distribution, in nats; (B,).

    Args:
        logits: (B, V, h, w); the divergence is summed over the positions
    """
    shares = logits.float().log_softmax(1)
    uniform = torch.full_like(shares, 1 / shares.shape[1]).log()
    return F.kl_div(uniform, shares, reduction="none", log_target=True).sum((1, 2, 3))


EPSILON = 0.1  # levels are mapped to [0.1, 0.9], away from where logits are infinite (DALL-E's)


def squeezed(means: Tensor) -> Tensor:
    """Map logits of levels in [0, 1] to those of the levels in [0.1, 0.9]."""
    return (torch.sigmoid(means.float()) * (1 - 2 * EPSILON) + EPSILON).logit()


def logit_laplace(means: Tensor, scales: Tensor, image: Tensor) -> Tensor:
    """Return the negative log-likelihood of images, summed over pixels (2102.12092, appendix A.3).

    Args:
        means: (B, C, H, W), the logits of the means, which are levels in [0.1, 0.9]
        scales: (B, C, H, W), the logarithms of the scales
        image: (B, C, H, W) in [0, 1]

    Returns:
        (B,)
    """
    x = image.float() * (1 - 2 * EPSILON) + EPSILON
    distance = (x.logit() - means.float()).abs() * (-scales.float()).exp()
    return (distance + scales.float() + (2 * x * (1 - x)).log()).sum((1, 2, 3))
