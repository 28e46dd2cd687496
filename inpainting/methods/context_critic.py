"""What GLCIC's discriminator minimises, and what it tells the completion network."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inpainting.errors import InputError, check_choice
from inpainting.images.crops import crop, local_corners
from inpainting.losses import (
    discriminator_loss,
    fooling_loss,
    gradient_penalty,
    squared_error,
)
from inpainting.methods.adversary import PENALTY_EVERY, Scalars
from inpainting.nn.diff_augment import DiffAugment
from inpainting.nn.glcic import ContextDiscriminator
from inpainting.rng import default_generator


class ContextCritic:
    """A discriminator of image and local crop, with both sides of its contest.

    Real and fake images are judged in one batch, so that they share their batch statistics, and
    the real local crop is cut at the fake crop's corners. The class is not a module, so that the
    discriminator stays a part of the method alone.

    Args:
        discriminator: of the method
        local_size: height and width of the local crop, in pixels
        loss: "logistic" (the paper's) or "hinge" (arXiv 1802.05957)
        penalty_weight: of the gradient penalty at real images (R1, arXiv 1801.04406), which counts
            at every 16th step; 0 leaves it out
        feature_weight: of the mean squared distance between the discriminator's maps of the real
            and of the fake image (arXiv 1512.09300); 0 leaves it out
        augment: kinds of `DiffAugment` of all images that the discriminator sees

    Raises:
        InputError: a choice is unknown, or a weight is negative.
    """

    def __init__(
        self,
        discriminator: ContextDiscriminator,
        local_size: tuple[int, int],
        loss: str,
        penalty_weight: float,
        feature_weight: float,
        augment: Sequence[str],
    ):
        check_choice("model.adversary.loss", loss, ("logistic", "hinge"))
        for key, value in (("penalty", penalty_weight), ("feature", feature_weight)):
            if value < 0:
                raise InputError(f"model.adversary.{key}_weight={value}: type 0 or more")
        self.discriminator, self.local_size, self.loss = discriminator, local_size, loss
        self.penalty_weight, self.feature_weight = penalty_weight, feature_weight
        self.augment = DiffAugment(augment)

    def views(self, image: Tensor, fake: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the discriminator sees: real and then fake images, and their local crops.

        Args:
            image: (B, C, H, W)
            fake: (B, C, H, W)
            mask: (B, 1, H, W)

        Returns:
            (2B, C, H, W) and (2B, C, local height, local width)
        """
        corners = local_corners(mask, self.local_size, default_generator(mask.device))
        both = self.augment(image, fake)
        return both, crop(both, corners.repeat(2, 1), self.local_size)

    def judge(self, image: Tensor, fake: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's logits for the real and the fake images, (B,) each."""
        real_logits, fake_logits = self.discriminator(*self.views(image, fake, mask)).chunk(2)
        return real_logits, fake_logits

    def objective(
        self, image: Tensor, fake: Tensor, mask: Tensor, step: int
    ) -> tuple[Tensor, Scalars]:
        """Return what the discriminator minimises, a scalar, with scalars to log.

        Args:
            image: (B, C, H, W)
            fake: (B, C, H, W), without a gradient
            mask: (B, 1, H, W)
            step: number of the training's step
        """
        real_logits, fake_logits = self.judge(image, fake, mask)
        loss = discriminator_loss(self.loss, real_logits, True)
        loss = (loss + discriminator_loss(self.loss, fake_logits, False)) / 2
        scalars = {"loss_d": loss}
        if self.penalty_weight and step % PENALTY_EVERY == 0:
            # In float32: second derivatives lose too much in half precision.
            with torch.autocast(image.device.type, enabled=False):
                real = image.detach().requires_grad_()
                real_logits, _ = self.judge(real, fake, mask)
                scalars["penalty"] = gradient_penalty(real_logits, real)
            loss = loss + self.penalty_weight / 2 * PENALTY_EVERY * scalars["penalty"]
        return loss, scalars

    def criticism(self, image: Tensor, fake: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of not fooling the discriminator and the weighted distance of maps.

        Both are scalars; the distance is 0 where its weight is.

        Args:
            image: (B, C, H, W)
            fake: (B, C, H, W), with its gradient
            mask: (B, 1, H, W)
        """
        if not self.feature_weight:
            fooling = fooling_loss(self.loss, self.judge(image, fake, mask)[1])
            return fooling, torch.zeros_like(fooling)
        maps, features = self.discriminator.maps(*self.views(image, fake, mask))
        halves = [layer.chunk(2) for layer in maps]
        distances = [squared_error(seen, real.detach()).mean() for real, seen in halves]
        fooling = fooling_loss(self.loss, self.discriminator.logits(features).chunk(2)[1])
        return fooling, self.feature_weight * torch.stack(distances).mean()
