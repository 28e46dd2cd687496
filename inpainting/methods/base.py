"""The interface that every inpainting method presents to the rest of the framework.

A method implements `predict` and, if it trains, `training_step` and `configure_optimizers`. The
base class erases the hole before `predict` and composites the prediction afterwards, so that no
evaluation or prediction can look inside a hole; in training a method erases by itself. The base
class also fits images of any size to the network and evaluates.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from inpainting.errors import InputError, check_whole
from inpainting.images.algebra import FILL_WORDS, Fill, composite, erase, resize
from inpainting.losses import squared_error
from inpainting.methods.attributes import Attributes
from inpainting.methods.evaluation import Batch, EvaluationSteps
from inpainting.methods.sizes import mirror_averaged, padded, seamless, through_windows
from inpainting.methods.training import TrainingHooks
from inpainting.methods.watch import Watch
from inpainting.rng import Generators
from inpainting.values import Bounds, Count, Natural, Side


class Inpainter(TrainingHooks, EvaluationSteps):
    """Fills the holes of images; the base class of all methods.

    Args:
        channels: image channels
        fill: value of the erased pixels: a number, a colour, or a word of `erase`
        flip_average: complete with the mean of the predictions for the image and for its mirror
            image (EDSR+, arXiv 1707.02921, section 3.4), which takes twice the time
        fixed_size: side in pixels of the only images that the network accepts. Larger and smaller
            images are filled through a window around each hole, resized to this side. None means
            that the network accepts every multiple of `size_multiple`; other sizes are padded.
        val_completions: validation completes only the images whose index is below this number;
            None completes all of them
        num_completions: completions per image in validation, test and prediction
        completion_seed: seed of the random numbers that evaluation completes with; another seed
            gives other completions of the same holes
        attributes: names of the attributes that the method is told, in the order of the batch
        emphasis: see `Attributes`
        lr_schedule: see `TrainingHooks`

    Raises:
        InputError: the fill is unknown, or a number is out of range.
    """

    # Arguments the weights depend on: a checkpoint loads under other values but produces garbage.
    bound_to_weights: tuple[str, ...] = ()
    # Networks that only a training needs: another training may start from this one without them.
    only_trains: tuple[str, ...] = ()
    fills_holes = True  # False: it reconstructs whole images
    trained = True  # False: the method has no weights to fit
    stochastic = False  # True: `predict` draws random numbers, in evaluation from seeded generators
    size_multiple = 1

    def __init__(
        self,
        *,
        channels: int,
        fill: Fill = 0.0,
        flip_average: bool = False,
        fixed_size: Side | None = None,
        val_completions: Natural | None = None,
        num_completions: Count = 1,
        completion_seed: Natural = 0,
        attributes: Sequence[str] = (),
        emphasis: Annotated[float, Bounds(1)] = 1.0,
        lr_schedule: Callable[[float], float] | None = None,
    ):
        super().__init__(lr_schedule)
        if isinstance(fill, str) and fill not in FILL_WORDS:
            words = " or ".join(FILL_WORDS)
            raise InputError(f"model.fill={fill}: type a number, a colour as [r,g,b], {words}")
        if flip_average and self.stochastic:
            raise InputError(
                "model.flip_average=true: this method draws samples, and the mean of two samples "
                "is blurred; type false"
            )
        check_whole("model.num_completions", num_completions, 1)
        check_whole("model.completion_seed", completion_seed, 0)
        if val_completions is not None:
            check_whole("model.val_completions", val_completions, 0)
        self.channels, self.fill, self.fixed_size = channels, fill, fixed_size
        self.flip_average = flip_average
        self.val_completions, self.num_completions = val_completions, num_completions
        self.completion_seed, self.attributes = completion_seed, Attributes(attributes, emphasis)
        # Networks by name that are used, not trained: they are in no checkpoint but beside it.
        self.frozen: dict[str, nn.Module] = {}
        self.frozen_facts: dict[str, dict[str, Any]] = {}  # what is known about each, for details
        self.edits = False  # True: evaluation measures the whole prediction, see `edit`
        self.blend = "paste"  # "poisson": predictions meet the known pixels, see `seamless`
        self.watch: Watch | None = None  # told of the network calls of a long prediction

    @abstractmethod
    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Predict the whole image.

        Args:
            masked_image: (B, C, H, W) in [0, 1], erased where mask > 0
            mask: (B, 1, H, W) in [0, 1], 1 = hole
            attributes: (B, A), what the completion should show, for methods that use attributes
            generator: source of all random numbers, either one generator or one per image; None
                uses torch's own

        Returns:
            (B, C, H, W) in [0, 1]
        """

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor | None:
        """Compute the loss that validation reports as `val/loss`.

        The default is the mean squared error of the prediction. A `stochastic` method has no
        default loss, because one sample says little, and an untrained method has none either.

        Args:
            batch: images of a size that the network accepts
            prediction: output of `predict` for this batch, (B, C, H, W); None for a `stochastic`
                method
            generator: one generator per image for a `stochastic` method, otherwise None

        Returns:
            (B,), or None if the method reports no loss
        """
        if self.stochastic or not self.trained:
            return None
        return squared_error(prediction, batch["image"])

    def details(self) -> dict[str, Any]:
        """Return what `metrics.json` records about how this method fills holes."""
        return {}

    @torch.no_grad()
    def complete(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
        num_completions: int = 1,
    ) -> Tensor:
        """Fill the holes of images of any size.

        Args:
            image: (B, C, H, W) in [0, 1]; the values where mask = 1 are never used
            mask: (B, 1, H, W) in [0, 1], 1 = hole; a value in between blends the prediction with
                the image in that proportion
            attributes: (B, A); None shows those asked for, and none of the others
            generator: on the image's device; one generator for all completions, or one for each
            num_completions: k, the completions per image

        Returns:
            (B, k, C, H, W); equal to `image` wherever mask = 0
        """
        prediction = self.predict_any_size(image, mask, attributes, generator, num_completions)
        return composite(prediction, image.unsqueeze(1), mask.unsqueeze(1))

    @torch.no_grad()
    def edit(
        self, image: Tensor, attributes: Tensor | None, generator: Generators = None
    ) -> Tensor:
        """Let images show other attributes: the whole prediction, without a hole.

        Args:
            image: (B, C, H, W) in [0, 1], of any size
            attributes: (B, A)
            generator: on the image's device

        Returns:
            (B, C, H, W); of an image that does not fit the network only the centre square changes
        """
        height, width = image.shape[-2:]
        if self.fits(height, width):
            mask = torch.zeros_like(image[:, :1])
            return self.predict_any_size(image, mask, attributes, generator, 1)[:, 0]
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        edited, side = image.float().clone(), self.fixed_size
        square = edited[..., top : top + edge, left : left + edge]
        changed = self.edit(resize(square, side, side), attributes, generator)
        square.copy_(resize(changed, edge, edge))
        return edited

    def predict_any_size(
        self,
        image: Tensor,
        mask: Tensor,
        attributes: Tensor | None,
        generator: Generators,
        num_completions: int,
    ) -> Tensor:
        """Predict images of any size without compositing; (B, k, C, H, W).

        Raises:
            ValueError: the shape of the image or of the mask is wrong.
        """
        batch, channels, height, width = image.shape
        if channels != self.channels or mask.shape != (batch, 1, height, width):
            raise ValueError(
                f"image {tuple(image.shape)} and mask {tuple(mask.shape)}: this method takes "
                f"(B, {self.channels}, H, W) and (B, 1, H, W)"
            )
        if attributes is None:
            attributes = self.attributes.wanted({"image": image})
        predict = mirror_averaged(self.predict) if self.flip_average else self.predict
        predict = padded(predict, self.size_multiple)
        if self.blend == "poisson":
            predict = seamless(predict)
        if not self.fits(height, width):
            predict = through_windows(predict, self.fixed_size, self.fill, self.watch)
        inputs = [
            x if x is None or num_completions == 1 else x.repeat_interleave(num_completions, 0)
            for x in (erase(image, mask, self.fill), mask, attributes)
        ]
        del image  # a scan takes 300 MB for each copy
        return predict(*inputs, generator).float().unflatten(0, (batch, num_completions))

    def fits(self, height: int, width: int) -> bool:
        """Return True if the network takes images of this size directly, except for padding."""
        return self.fixed_size is None or (height, width) == (self.fixed_size, self.fixed_size)
