"""The networks of CVAEGAN (report 001): a conditional autoencoder and a discriminator.

At 64 px, with a latent of 512 and an embedding of 16, they have the 13,914,723 and 2,766,657
parameters of the authors' code; with attention the autoencoder has its 14,905,443.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from inpainting.errors import InputError, check_choice
from inpainting.values import Count

# Side of the map that the decoder unfolds a latent to; a larger one makes that layer explode.
LARGEST_START = 16


def _block(convolution: nn.Module, activation: nn.Module) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), activation]


class SpatialAttention(nn.Module):
    """Self-attention among the pixels of a map, then two linear layers, both residual.

    Args:
        channels: of the map
        heads: of the attention
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.before_attention = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.linear = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        pixels = x.flatten(2).mT  # (B, H * W, C)
        normed = self.before_attention(pixels)
        pixels = pixels + self.attention(normed, normed, normed, need_weights=False)[0]
        return (pixels + self.linear(pixels)).mT.reshape(x.shape)


def _encoder(channels: int, size: int, width: int, attention: bool) -> tuple[nn.Sequential, int]:
    """Return convolutions of kernel 5 and stride 2 down to a map below 5 px, and its length."""
    layers: list[nn.Module] = []
    before, after = channels, width
    while size >= 5:
        layers += _block(nn.Conv2d(before, after, 5, 2), nn.ReLU(inplace=True))
        size = (size - 5) // 2 + 1
        if attention and 5 <= size <= 13:
            layers.append(SpatialAttention(after))
        before, after = after, min(2 * after, 8 * width)
    return nn.Sequential(*layers, nn.Flatten()), before * size * size


def _decoder(inputs: int, channels: int, size: int, width: int, attention: bool) -> nn.Sequential:
    """Return a linear layer and transposed convolutions that double a small map up to `size`."""
    doublings, start = 0, size
    while start % 2 == 0 and start > 8 or doublings < 2 and start % 2 == 0:
        doublings, start = doublings + 1, start // 2
    if start > LARGEST_START or doublings == 0:
        raise InputError(
            f"data.image_size={size}: the decoder doubles a map of 4 to {LARGEST_START} px; type "
            "data.image_size=64 or another number that halves to such a side"
        )
    widths = [4 * width] * max(1, doublings - 1) + [2 * width, width // 2]
    before, *after = widths[-doublings - 1 :]
    layers: list[nn.Module] = [
        nn.Linear(inputs, before * start * start),
        nn.Unflatten(1, (before, start, start)),
        nn.BatchNorm2d(before),
    ]
    for doubled in after:
        layers += _block(nn.ConvTranspose2d(before, doubled, 2, 2), nn.ReLU(inplace=True))
        start, before = 2 * start, doubled
        if attention and 16 <= start <= 32:
            layers.append(SpatialAttention(doubled))
    # The authors' last layer is a transposed convolution of stride 1.
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, channels, 5, 1, 2))


class ConditionalVAE(nn.Module):
    """An encoder of the masked image, and a decoder of the latent and the attributes.

    The attributes enter the decoder alone, so that the latent does not have to carry them.

    Args:
        channels: image channels
        image_size: side of the images, in pixels
        width: channels of the encoder's first map; 64 in the authors' code
        latent: length of the latent; 512 in the authors' code
        attributes: their names; none makes a plain variational autoencoder
        embedding: length of the vector that stands for the state of an attribute
        attention: add `SpatialAttention` after the maps of 5 to 13 px of the encoder and of 16 to
            32 px of the decoder, as the authors' larger variant does
        deviation: of a sample of the latent: "standard" is exp(logvar / 2), "as_coded" is the
            authors' exp(logvar) / 2, which is not that of the divergence

    Raises:
        InputError: the decoder cannot make images of this size, or the deviation is unknown.
    """

    def __init__(
        self,
        channels: int = 3,
        image_size: int = 64,
        width: Count = 64,
        latent: Count = 512,
        attributes: Sequence[str] = (),
        embedding: Count = 16,
        attention: bool = False,
        deviation: Literal["standard", "as_coded"] = "standard",
    ):
        super().__init__()
        check_choice("model.network.deviation", deviation, ("standard", "as_coded"))
        self.deviation = deviation
        self.attributes = list(attributes)
        self.encoder, features = _encoder(channels, image_size, width, attention)
        self.mean = nn.Linear(features, latent)
        self.logvar = nn.Linear(features, latent)
        # A vector for the absence and one for the presence of each attribute
        self.embedding = nn.Parameter(torch.randn(len(attributes), 2, embedding))
        inputs = latent + len(attributes) * embedding
        self.decoder = _decoder(inputs, channels, image_size, width, attention)

    def encode(self, masked_image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) in [0, 1] to mean and log variance of the latent, (B, latent) each."""
        features = self.encoder(masked_image)
        return self.mean(features).float(), self.logvar(features).float()

    def sample(self, mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
        """Return a sample of each latent from standard normal noise, all (B, latent)."""
        as_coded = self.deviation == "as_coded"
        return mean + noise * (logvar.exp() / 2 if as_coded else (logvar / 2).exp())

    def decode(self, z: Tensor, attributes: Tensor | None) -> Tensor:
        """Return the logits of the image; their sigmoid is the image in [0, 1].

        Args:
            z: (B, latent)
            attributes: (B, A), 0 for absent and 1 for present; values between blend the two, and
                values beyond exaggerate

        Returns:
            (B, C, H, W) float32
        """
        if self.attributes:
            share = attributes[..., None].to(z.dtype)  # (B, A, 1)
            absent, present = self.embedding.to(z.dtype).unbind(1)  # (A, embedding)
            z = torch.cat([z, ((1 - share) * absent + share * present).flatten(1)], 1)
        return self.decoder(z).float()


NORMS = ("batch", "instance", "none")


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # Affine, so that it has the parameters of a batch norm.
    return nn.InstanceNorm2d(channels, affine=True) if kind == "instance" else nn.Identity()


class FaceDiscriminator(nn.Module):
    """Convolutions of stride 2 (DCGAN, arXiv 1511.06434), and one logit an image.

    Args:
        channels: image channels
        image_size: side of the images, in pixels
        width: channels of the first map; 64 in the authors' code
        norm: after every convolution: "batch" (as in the authors' code), "instance" or "none"
        spectral: divide every weight by its largest singular value (arXiv 1802.05957)

    Raises:
        InputError: the norm is unknown.
    """

    def __init__(
        self,
        channels: int = 3,
        image_size: int = 64,
        width: Count = 64,
        norm: str = "batch",
        spectral: bool = False,
    ):
        super().__init__()
        check_choice("model.adversary.network.norm", norm, NORMS)
        self.norm = norm
        wrap = spectral_norm if spectral else lambda layer: layer
        blocks, size, before, after = [], image_size, channels, width
        while size > 4:
            layer = wrap(nn.Conv2d(before, after, 4, 2, 1))
            blocks.append(nn.Sequential(layer, _norm(norm, after), nn.LeakyReLU(0.2)))
            size, before, after = size // 2, after, min(2 * after, 8 * width)
        self.blocks = nn.ModuleList(blocks)
        self.head = wrap(nn.Conv2d(before, 1, size))

    def maps(self, image: Tensor) -> list[Tensor]:
        """Return the maps after every convolution, the largest first."""
        maps = [image]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]

    def judge(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the logits (B,) of images whose maps are given; above 0 means real."""
        return self.head(maps[-1]).flatten().float()

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, H, W) in [0, 1] to logits (B,)."""
        return self.judge(self.maps(image))
