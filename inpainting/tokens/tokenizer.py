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
    def vectors_of_tokens(self) -> Tensor:
        """Return what the decoder reads each token as, (V, d): vectors of like tokens are close."""

    @abstractmethod
    def encode(self, image: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1], of whole patches, to tokens (B, h, w) int64."""

    @abstractmethod
    def decode(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, h, w) int64 to images (B, C, H, W) in [0, 1]."""

    @abstractmethod
    def decode_mixed(self, shares: Tensor) -> Tensor:
        """Map mixtures of tokens (B, V, h, w), whose shares sum to 1, to images (B, C, H, W).

        It gives what `decode` does for a share of 1.
        """
