"""The tokenizer of DALL-E: OpenAI's discrete autoencoder (arXiv 2102.12092)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.errors import InputError
from inpainting.tokens.tokenizer import Tokenizer


class DalleTokenizer(Tokenizer):
    """The encoder and decoder of the DALL-E package, in float32.

    A token looks far beyond its patch, so pixels that a hole erases change known tokens too.

    Args:
        channels: image channels, which must be 3
        sizes: of the networks, if they are not OpenAI's: `n_hid`, `n_blk_per_group`, `n_init`,
            `vocab_size`

    Raises:
        InputError: the package is not installed, or the images are not RGB.
    """

    portable = False  # 390 MB, which every run would keep
    stride = 8
    reach = 93  # of two blocks of three 3x3 convolutions at each of four scales, after one of 7x7

    def __init__(self, channels: int, **sizes: int):
        super().__init__()
        try:
            from dall_e import Decoder, Encoder
        except ImportError as error:
            raise InputError("tokenizer=dalle: type pip install 'inpainting[dalle]'") from error
        if channels != 3:
            raise InputError(f"data.channels={channels}: tokenizer=dalle is for RGB, 3 channels")
        of_encoder = {name: size for name, size in sizes.items() if name != "n_init"}
        self.encoder, self.decoder = Encoder(**of_encoder), Decoder(**sizes)
        self.vocab_size = self.encoder.vocab_size
        for module in self.modules():  # it would compute in float16 on GPUs
            if hasattr(module, "use_float16"):
                module.use_float16 = False

    def vectors_of_tokens(self) -> Tensor:
        """See `Tokenizer`; of the decoder's first convolution, which reads one-hot tokens."""
        return self.decoder.blocks.input.w.flatten(1).T

    def encode(self, image: Tensor) -> Tensor:
        """See `Tokenizer`."""
        from dall_e import map_pixels

        return self.encoder(map_pixels(image.float())).argmax(1)

    def decode(self, tokens: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return self.decode_mixed(F.one_hot(tokens, self.vocab_size).permute(0, 3, 1, 2).float())

    def decode_mixed(self, shares: Tensor) -> Tensor:
        """See `Tokenizer`."""
        from dall_e import unmap_pixels

        # Three channels of means, then three of scales, which a logit-Laplace distribution has.
        means = self.decoder(shares).float()[:, :3]
        return unmap_pixels(torch.sigmoid(means))
