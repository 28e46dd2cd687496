"""What a method of discrete tokens measures itself, as columns."""

from torch import Tensor

from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric
from inpainting.metrics.columns import Column


def _share(name: str, heading: str, direction: str, truth: float) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=3,
        direction=direction,
        scope="hole",
        truth=truth,
        brief=name == "token_top1",
    )


class TokenNumbers(ImageMetric):
    """Accuracy of the hidden tokens, collapse, and known tokens that a hole changes.

    See `TokenInpainter.numbers`. A method without tokens has none of them. The accuracies have no
    better end, as what is given to a network and how many tokens there are differ: TokenGPT
    predicts each token given the true ones before it, TokenBERT given none.
    """

    columns = (
        _share("token_top1", "token, top 1", "none", 1.0),
        _share("token_top5", "token, top 5", "none", 1.0),
        _share("collapse", "collapse", "min", 0.0),
        _share("tokens_changed", "known tokens changed", "min", 0.0),
    )

    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Return the method's own numbers; see `ImageMetric`."""
        return completed.numbers()
