"""A small network that classifies images: convolutions with batch norm (arXiv 1502.03167)."""

from math import log2

from torch import Tensor, nn


class Classifier(nn.Module):
    """A classifier whose features are the spatial means of its last map.

    It has 66,346 parameters for one channel, 28 px and ten classes. It accepts images of any size;
    `image_size` decides how often the map is halved, so that the last map is about 7 pixels wide.

    Args:
        channels: image channels
        image_size: side of the images, in pixels
        classes: number of labels
        width: channels of the first map, doubled at each halving up to `num_features`
        num_features: length of the feature vector that the logits are computed from
    """

    def __init__(
        self, channels: int, image_size: int, classes: int, width: int = 32, num_features: int = 64
    ):
        super().__init__()
        halvings = max(1, round(log2(image_size / 7)))
        widths = [min(width * 2**i, num_features) for i in range(halvings)]
        widths[-1] = num_features
        layers, i, kernel = [], channels, 5
        for o in widths:
            layers += [*_convolution(i, o, kernel, stride=2), *_convolution(o, o, 3)]
            i, kernel = o, 3
        self.num_features = num_features  # torchmetrics reads this attribute
        self.map = nn.Sequential(*layers)
        self.head = nn.Linear(num_features, classes)

    def features(self, image: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1] to features (B, num_features)."""
        return self.map(image - 0.5).mean((2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1] to logits (B, classes)."""
        return self.head(self.features(image))


def _convolution(i: int, o: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
