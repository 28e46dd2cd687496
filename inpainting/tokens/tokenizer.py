"""The interface of tokenizers, which map images to grids of discrete tokens and back."""

from abc import abstractmethod

from torch import Tensor, nn


class Tokenizer(nn.Module):
    """Maps images to grids of tokens and back; frozen while a transformer learns from it.

    Attributes:
        vocab_size: number of different tokens
        stride: side of the patch that a token stands for, in pixels
        reach: how far, in pixels beyond its patch, a token depends on the image
        portable: True if its weights are small enough to be kept with every run
    """

    portable = True

    vocab_size: int
    stride: int
    reach: int

    @abstractmethod
    def encode(self, image: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1], of whole patches, to tokens (B, h, w) int64."""

    @abstractmethod
    def decode(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, h, w) int64 to images (B, C, H, W) in [0, 1]."""
