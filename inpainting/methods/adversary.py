"""A discriminator together with what it minimises and what it tells a generator."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from inpainting.errors import InputError, check_choice
from inpainting.losses import (
    discriminator_loss,
    fooling_loss,
    gradient_penalty,
    squared_error,
)
from inpainting.nn.cvae_gan import FaceDiscriminator
from inpainting.nn.diff_augment import DiffAugment
from inpainting.values import Weight

log = logging.getLogger(__name__)

PENALTY_EVERY = 16  # steps, as in StyleGAN2 (arXiv 1912.04958, section 3.1)
# A discriminator teaches nothing below this share of the reconstruction's gradient: at 0.03 the
# fills do not change (docs/faces.md).
DEAD = 0.02

_warn = rank_zero_only(log.warning)

Scalars = dict[str, Tensor]


class Adversary(nn.Module):
    """A discriminator D of whole images, with its objective and the generator's.

    For each image, D minimises its loss and, at every 16th step, the penalty of its gradient at the
    real image. The generator minimises weight * (loss of not fooling D) + feature_weight * (mean
    squared distance of D's maps of the real and of the fake image).

    Args:
        network: D
        loss: "logistic" (non-saturating, arXiv 1406.2661) or "hinge" (arXiv 1802.05957)
        weight: of not fooling D
        feature_weight: of the distance of the maps (arXiv 1512.09300); 0 leaves it out
        penalty_weight: of the gradient penalty (R1, arXiv 1801.04406); 0 leaves it out
        separate_steps: D takes one step on the real images and then one on the fakes
        augment: kinds of `DiffAugment` of all images that D sees

    Raises:
        InputError: the loss is unknown, or a weight is negative.
    """

    def __init__(
        self,
        *,
        network: FaceDiscriminator,
        loss: Literal["logistic", "hinge"],
        weight: Weight,
        feature_weight: Weight,
        penalty_weight: Weight,
        separate_steps: bool,
        augment: Sequence[str],
    ):
        super().__init__()
        check_choice("model.adversary.loss", loss, ("logistic", "hinge"))
        weights = {"weight": weight, "feature_weight": feature_weight}
        for key, value in (weights | {"penalty_weight": penalty_weight}).items():
            if value < 0:
                raise InputError(f"model.adversary.{key}={value}: type 0 or more")
        if separate_steps and penalty_weight:
            raise InputError(
                f"model.adversary.penalty_weight={penalty_weight}: with separate_steps=true there "
                "is no penalty; type 0, or separate_steps=false"
            )
        self.network, self.loss, self.separate_steps = network, loss, separate_steps
        self.weight, self.feature_weight = weight, feature_weight
        self.penalty_weight, self.augment = penalty_weight, DiffAugment(augment)

    def objectives(
        self, image: Tensor, fake: Tensor, step: int
    ) -> Iterator[tuple[Tensor, Scalars]]:
        """Yield what D minimises, one objective for each of its steps, with scalars to log.

        Args:
            image: (B, C, H, W), real
            fake: (B, C, H, W), without a gradient
            step: number of the training's step
        """
        if self.separate_steps:
            yield self._separate(image, True)
            yield self._separate(fake, False)  # computed after D's first step
            return
        real_logits, fake_logits = self.network(self.augment(image, fake)).chunk(2)
        loss = discriminator_loss(self.loss, real_logits, True)
        loss = loss + discriminator_loss(self.loss, fake_logits, False)
        scalars = {"loss_d": loss / 2, "margin": real_logits.mean() - fake_logits.mean()}
        if self.penalty_weight and step % PENALTY_EVERY == 0:
            # In float32: second derivatives lose too much in half precision.
            with torch.autocast(image.device.type, enabled=False):
                real = image.detach().requires_grad_()
                penalty = gradient_penalty(self.network(self.augment(real)), real)
            loss = loss + self.penalty_weight / 2 * PENALTY_EVERY * penalty
            scalars["penalty"] = penalty
        yield loss, scalars

    def _separate(self, images: Tensor, real: bool) -> tuple[Tensor, Scalars]:
        logits = self.network(self.augment(images))
        loss = discriminator_loss(self.loss, logits, real)
        # The margin is the mean logit of real images minus that of fakes.
        return loss, {"loss_d": loss, "margin": 2 * (1 if real else -1) * logits.mean()}

    def criticism(self, image: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        """Compute what the generator minimises, a scalar, with scalars to log.

        Args:
            image: (B, C, H, W), real
            fake: (B, C, H, W), the generator's, with its gradient
        """
        # The real images are needed for their features, and for the statistics of a batch norm.
        beside = bool(self.feature_weight) or self.network.norm == "batch"
        maps = self.network.maps(self.augment(image, fake) if beside else self.augment(fake))
        fake_logits = self.network.judge(maps).chunk(2)[1] if beside else self.network.judge(maps)
        fooling = fooling_loss(self.loss, fake_logits)
        loss, scalars = self.weight * fooling, {"fooling": fooling}
        if self.feature_weight:
            halves = [layer.chunk(2) for layer in maps]
            errors = [squared_error(seen, real.detach()).mean() for real, seen in halves]
            scalars["features"] = torch.stack(errors).mean()
            loss = loss + self.feature_weight * scalars["features"]
        return loss, scalars


def noting_gradient(images: Tensor, note: Callable[[Tensor], None]) -> Tensor:
    """Return a view of the images; when a gradient arrives at it, pass on its norm.

    Args:
        images: (B, ...), whose losses are means over the batch
        note: gets the mean over the images of the norm of each image's own gradient, a scalar
    """
    if not images.requires_grad:
        return images
    view = images.view_as(images)
    view.register_hook(lambda slope: note(slope.flatten(1).norm(dim=1).mean() * len(slope)))
    return view


class DeathWatch:
    """Says in one line if a discriminator has taught the generator nothing for an epoch."""

    def __init__(self) -> None:
        self._since: int | None = None

    def note(self, values: dict[str, float], batches_seen: int, epoch: int) -> None:
        """Note the scalars that were read after a batch.

        Args:
            values: training scalars; without "gradient_discriminator" there is nothing to note
            batches_seen: batches of the training so far
            epoch: batches of an epoch
        """
        teaching = values.get("gradient_discriminator", float("inf"))
        if teaching >= DEAD * values.get("gradient_reconstruction", 0):
            self._since = None
        elif self._since is None:
            self._since = batches_seen
        elif batches_seen - self._since >= epoch:
            self._since = None  # so that the next line comes an epoch later
            _warn(
                "the discriminator is dead: for an epoch its gradient at the logits was below %g "
                "of the reconstruction's (margin %.3g); lower model.optimizer_discriminator.lr",
                DEAD,
                values.get("margin", float("nan")),
            )
