"""The networks of GLCIC: Globally and Locally Consistent Image Completion (Iizuka et al. 2017).

Sizes and counts are those of report 004, which trains the paper's structure at 64 px with 28 px
local crops: 4,889,347 + 29,332,993 parameters. Every block is a convolution, a ReLU and a batch
norm, in this order. Departure from the paper: two plain convolutions fewer follow the dilated ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inpainting.errors import check_choice

HEADS = ("flatten", "later", "later_pool")


def _block(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(channels)]


def _conv(i: int, o: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel - 1) // 2
    return _block(nn.Conv2d(i, o, kernel, stride, padding, dilation), o)


def _deconv(i: int, o: int) -> list[nn.Module]:
    return _block(nn.ConvTranspose2d(i, o, 4, 2, 1), o)


class CompletionNetwork(nn.Module):
    """Fully convolutional encoder, dilated bottleneck and decoder (paper, table 1).

    Args:
        in_channels: image channels, plus 1 if the mask is passed too
        out_channels: image channels
        width: channels of the first layer (64 in the paper and in the report)
        dilations: dilation of each dilated layer; the report calls these layers "bottleneck"
        bottleneck_convs: plain layers at a quarter of the resolution before the dilated ones
            (2 in the report's structure of 34 million parameters, 1 in its authors' later code)
        skips: add the encoder's maps to the decoder's of the same size (U-Net, arXiv 1505.04597,
            with a sum in place of a concatenation), which takes no parameter more
        residual: predict what is to be added to the input image (VDSR, arXiv 1511.04587, section
            3.1), at first nothing; otherwise a sigmoid ends the network
    """

    size_multiple = 4  # two layers of stride 2

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 3,
        width: int = 64,
        dilations: Sequence[int] = (2, 4, 8, 16),
        bottleneck_convs: int = 2,
        skips: bool = False,
        residual: bool = False,
    ):
        super().__init__()
        self.out_channels, self.skips, self.residual = out_channels, skips, residual
        w = width
        bottleneck = [_conv(4 * w, 4 * w) for _ in range(bottleneck_convs)]
        bottleneck += [_conv(4 * w, 4 * w, dilation=d) for d in dilations]
        self.layers = nn.Sequential(
            *_conv(in_channels, w, kernel=5),
            *_conv(w, 2 * w, stride=2),
            *_conv(2 * w, 2 * w),
            *_conv(2 * w, 4 * w, stride=2),
            *(layer for block in bottleneck for layer in block),
            *_deconv(4 * w, 2 * w),
            *_conv(2 * w, 2 * w),
            *_deconv(2 * w, w),
            *_conv(w, w // 2),
            nn.Conv2d(w // 2, out_channels, 3, padding=1),
        )
        if residual:
            nn.init.zeros_(self.layers[-1].weight)
            nn.init.zeros_(self.layers[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to images (B, out_channels, H, W); H, W multiples of 4.

        The values are in [0, 1], or a little beyond with `residual`.
        """
        # float32, because bf16 has too few levels near 1 for an image
        output = (self._through_skips(x) if self.skips else self.layers(x)).float()
        return x[:, : self.out_channels] + output if self.residual else torch.sigmoid(output)

    def _through_skips(self, x: Tensor) -> Tensor:
        # A block is three layers; four blocks encode, and the last three and a convolution decode.
        large = self.layers[:3](x)
        middle = self.layers[3:9](large)
        deep = self.layers[9:-10](middle)
        return self.layers[-4:](self.layers[-10:-4](deep + middle) + large)


def _halving(channels: Sequence[int], image_channels: int, size: int) -> tuple[list, int]:
    """Return blocks of stride 2 and kernel 5, and the side of the map after them."""
    layers: list[nn.Module] = []
    before = image_channels
    for after in channels:
        if size > 1:
            layers += _conv(before, after, kernel=5, stride=2)
        else:
            # On a map of one pixel only the centre of a kernel sees data. Besides, torch 2.14
            # leaves parts of a larger kernel's bf16 gradient uninitialised there, on CPUs.
            layers += _conv(before, after, kernel=1)
        before, size = after, -(-size // 2)
    return layers, size


def _branch(channels: Sequence[int], image_channels: int, size: int) -> nn.Sequential:
    """Return the paper's branch: no batch norm in the last block, twice its channels out."""
    layers, size = _halving(channels, image_channels, size)
    features = channels[-1]
    head = [nn.Flatten(), nn.Linear(features * size * size, 2 * features), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1], *head)


def _later_branch(
    channels: Sequence[int], last: nn.Conv2d, image_channels: int, size: int, pool: bool
) -> nn.Sequential:
    """Return a branch of the authors' later code, with its flattened or its pooled head."""
    layers, size = _halving(channels, image_channels, size)
    if size == 1:  # see `_halving`
        last = nn.Conv2d(last.in_channels, last.out_channels, 1)
    size = -(-size // last.stride[0])
    features, hidden = last.out_channels, last.out_channels // 2
    if pool:
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, hidden)]
    else:
        head = [
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(features * size * size, features),
            nn.Linear(features, hidden),
        ]
    return nn.Sequential(*layers, last, *head)


class ContextDiscriminator(nn.Module):
    """A global and a local branch, fused into one logit (paper, tables 2 and 3; section 3.3).

    Args:
        channels: image channels
        image_size: side of the global input, in pixels
        local_size: side of the local input, in pixels
        width: channels of the first layer (64 in the paper and in the report)
        head: "flatten" is the structure of the paper and of the report's 34 million parameters:
            flatten and a layer of 1,024. "later" and "later_pool" are the structure of the report's
            table rows on pooling (its authors' code of December 2020). There the global map is
            still 2x2 at 64 px, so that flattening and global average pooling differ.

    Raises:
        InputError: the head is unknown.
    """

    def __init__(
        self,
        channels: int = 3,
        image_size: int = 64,
        local_size: int = 28,
        width: int = 64,
        head: str = "flatten",
    ):
        super().__init__()
        w = width
        steps = (w, 2 * w, 4 * w, 8 * w, 8 * w)
        check_choice("model.head", head, HEADS)
        if head == "flatten":
            self.global_branch = _branch((*steps, 8 * w), channels, image_size)
            self.local_branch = _branch(steps, channels, local_size)
            self.fusion = nn.Linear(32 * w, 1)
        else:
            pool = head == "later_pool"
            self.global_branch = _later_branch(
                steps, nn.Conv2d(8 * w, 8 * w, 3, 1, 1), channels, image_size, pool
            )
            self.local_branch = _later_branch(
                steps[:4], nn.Conv2d(8 * w, 8 * w, 5, 2, 2), channels, local_size, pool
            )
            self.fusion = nn.Linear(8 * w, 1)

    def forward(self, image: Tensor, local: Tensor) -> Tensor:
        """Judge whether images are real.

        Args:
            image: (B, C, image_size, image_size)
            local: (B, C, local_size, local_size)

        Returns:
            (B,) logits; above 0 means real
        """
        return self.logits(torch.cat([self.global_branch(image), self.local_branch(local)], 1))

    def logits(self, features: Tensor) -> Tensor:
        """Fuse the features of both branches, (B, F), into one logit an image, (B,)."""
        return self.fusion(features).squeeze(1)

    def maps(self, image: Tensor, local: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the map after every batch norm, of both branches, and their features (B, F).

        Args:
            image: (B, C, image_size, image_size)
            local: (B, C, local_size, local_size)
        """
        maps, features = [], []
        for branch, x in ((self.global_branch, image), (self.local_branch, local)):
            for layer in branch:
                x = layer(x)
                if isinstance(layer, nn.BatchNorm2d):
                    maps.append(x)
            features.append(x)
        return maps, torch.cat(features, 1)
