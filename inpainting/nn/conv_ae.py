"""The convolutional autoencoders of report 002, for digits and for colour images.

Report 002 (ULPGC) lists the layers without strides, and its decoder cannot be built without them;
the strides here come from the authors' code. Each network also accepts other image sizes and
channel counts than the report's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.errors import InputError, check_whole
from inpainting.values import Count


def _check(image_size: int, least: int, latent: Count) -> None:
    check_whole("model.network.latent", latent, 1)
    if image_size < least:
        raise InputError(
            f"data.image_size={image_size} is too small for this autoencoder: type "
            f"data.image_size={least} or more"
        )


def _halved(size: int, padding: int) -> int:
    """Return the side of a map after a convolution or pooling of kernel 3 and stride 2."""
    return (size + 2 * padding - 3) // 2 + 1


class DigitAutoencoder(nn.Module):
    """Three convolutions down, a narrow latent, three transposed convolutions up.

    The network has 87,125 parameters for 28 px, one channel and a latent of 4.

    Args:
        channels: image channels
        image_size: side in pixels, at least 9
        latent: length of the latent vector, at least 1

    Raises:
        InputError: `image_size` or `latent` is too small.
    """

    def __init__(self, channels: int = 1, image_size: int = 28, latent: Count = 4):
        super().__init__()
        _check(image_size, 9, latent)
        half = _halved(image_size, 1)
        quarter = _halved(half, 1)
        eighth = _halved(quarter, 0)
        features = 32 * eighth * eighth
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, 2, 0),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(features, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, latent),
        )
        # Output padding undoes the rounding of the encoder's strides for every image size.
        self.decoder = nn.Sequential(
            nn.Linear(latent, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, features),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (32, eighth, eighth)),
            nn.ConvTranspose2d(32, 16, 3, 2, 0, output_padding=quarter - (2 * eighth + 1)),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=half - (2 * quarter - 1)),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, channels, 3, 2, 1, output_padding=image_size - (2 * half - 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, image_size, image_size) to the same shape, in [0, 1]."""
        return torch.sigmoid(self.decoder(self.encoder(x)).float())


class ColourAutoencoder(nn.Module):
    """Convolution and pooling down to 8x8 at 512 px, upsampling and transposed convolution up.

    The network has 1,137,379 parameters for 512 px, three channels and a latent of 128. At other
    sizes the decoder's output is close to the image's size and is resized to it; at 512 px no
    resizing happens. (The report gives the first transposed convolution a kernel of 8, which does
    not lead to the image's size; the kernel of 3 is that of the authors' code.)

    Args:
        channels: image channels
        image_size: side in pixels, at least 33
        latent: length of the latent vector, at least 1

    Raises:
        InputError: `image_size` or `latent` is too small.
    """

    def __init__(self, channels: int = 3, image_size: int = 512, latent: Count = 128):
        super().__init__()
        _check(image_size, 33, latent)
        side = image_size
        for padding in (1, 1, 0):
            side = _halved(_halved(side, padding), 1)
        self.image_size = image_size
        features = 32 * side * side
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1),
            nn.MaxPool2d(3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.MaxPool2d(3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, 2, 0),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(features, 2 * latent),
            nn.ReLU(inplace=True),
            nn.Linear(2 * latent, latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 2 * latent),
            nn.ReLU(inplace=True),
            nn.Linear(2 * latent, features),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (32, side, side)),
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(32, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(8, channels, 19, 2, 1, output_padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, image_size, image_size) to the same shape, in [0, 1]."""
        image = torch.sigmoid(self.decoder(self.encoder(x)).float())
        if image.shape[-1] == self.image_size:
            return image
        return F.interpolate(
            image, (self.image_size, self.image_size), mode="bilinear", antialias=True
        )
