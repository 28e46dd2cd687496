"""The training step of GLCIC as one writes it without a framework: networks, Adam, two losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.images.algebra import composite, erase
from inpainting.images.crops import crop, local_corners
from inpainting.methods.glcic import COMPLETION, JOINT


class BareGLCIC:
    """What `inpainting.methods.glcic` does at the settings of conf/model/glcic.yaml.

    Args:
        generator: the completion network, which takes the mask as one more channel
        discriminator: global and local
        local_size: height and width of the local crop
        bf16: bfloat16 autocast
    """

    chance = torch.default_generator  # of the local crops

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        local_size: tuple[int, int],
        bf16: bool,
    ):
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.local_size, self.bf16 = local_size, bf16
        self.completion = torch.optim.Adam(generator.parameters(), lr=0.001)
        self.discrimination = torch.optim.Adam(discriminator.parameters(), lr=0.001)
        self.joint = torch.optim.Adam(generator.parameters(), lr=0.001)

    def step(self, phase: int, image: Tensor, mask: Tensor) -> None:
        """One training step in a phase.

        Args:
            phase: COMPLETION, DISCRIMINATOR or JOINT
            image: (B, C, H, W) in [0, 1]
            mask: (B, 1, H, W), 1 = hole
        """
        masked_image = erase(image, mask, 0.0)
        with self._autocast(), torch.set_grad_enabled(phase in (COMPLETION, JOINT)):
            prediction = self.generator(torch.cat([masked_image, mask], 1))
            mse = (prediction - image).square().mean((1, 2, 3)).mean()
            if phase == COMPLETION:
                return self._update(self.completion, mse)
            fake = composite(prediction, image, mask)
        with self._autocast():
            real_logits, fake_logits = self._judge(image, fake.detach(), mask)
            loss = (_adversarial(real_logits, 1.0) + _adversarial(fake_logits, 0.0)) / 2
        self._update(self.discrimination, loss)
        if phase == JOINT:
            self.discriminator.requires_grad_(False)
            with self._autocast():
                _, fake_logits = self._judge(image, fake, mask)
            self._update(self.joint, mse + _adversarial(fake_logits, 1.0))
            self.discriminator.requires_grad_(True)
        return None

    def _judge(self, image: Tensor, fake: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        corners = local_corners(mask, self.local_size, self.chance)
        both = torch.cat([image, fake])
        local = crop(both, corners.repeat(2, 1), self.local_size)
        real_logits, fake_logits = self.discriminator(both, local).chunk(2)
        return real_logits, fake_logits

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

    @staticmethod
    def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _adversarial(logits: Tensor, target: float) -> Tensor:
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
