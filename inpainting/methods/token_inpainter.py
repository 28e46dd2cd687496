"""What TokenBERT and TokenGPT share: images become tokens, and a transformer fills the hidden ones.

Departure from report 000: the tokenizer reads the masked image, so that no token knows what is in
the hole; the report tokenised the whole image and hid tokens afterwards.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import check_choice, check_whole
from inpainting.images.algebra import erase
from inpainting.methods.base import Batch, Inpainter
from inpainting.rng import Generators
from inpainting.tokens.decoding import TokenDrawing
from inpainting.tokens.masking import hidden_tokens
from inpainting.tokens.tokenizer import Tokenizer


class TokenInpainter(Inpainter):
    """Fills the tokens that a hole hides; the base class of both methods.

    The tokenizer is frozen and in no checkpoint.

    Args:
        tokenizer: maps images to tokens and back
        tokenizer_weights: gives the tokenizer its weights, from the data or from files, and returns
            facts for `metrics.json`; called with the tokenizer and the data module, or None where
            there is none, unless the weights come from beside a checkpoint
        token_grids: returns the tokens of all training images, (variants, N, h, w), or None to
            compute them in every step; called with the tokenizer and the data module
        reach: how far beyond its patch a token is hidden by a hole, in pixels
        context: what the known tokens are read from in training: "erased", the masked image as
            in every test, or "clean", the whole image as in report 000
        drawing: how tokens are drawn
        optimizer: builds the optimiser of the transformer's parameters
        options: keyword arguments of `Inpainter`

    Raises:
        InputError: a choice is unknown, or a number is out of range.
    """

    stochastic = True
    bound_to_weights = ("tokenizer", "network")

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        tokenizer_weights: Callable[[Tokenizer, Any], dict[str, Any]],
        token_grids: Callable[[Tokenizer, Any], Tensor | None] | None,
        reach: int,
        context: str,
        drawing: TokenDrawing,
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        check_choice("model.context", context, ("erased", "clean"))
        check_whole("model.reach", reach, 0)
        self._tokenizer = (
            tokenizer.requires_grad_(False).eval(),
        )  # a tuple hides it from Lightning
        self._weights_of, self.facts = tokenizer_weights, {}
        self._weighted = False
        self._grids_of, self._grids = token_grids, None
        self._filled = torch.empty(0)  # tokens of the last prediction
        if tokenizer.portable:
            self.frozen["tokenizer"] = tokenizer
        self.reach, self.size_multiple = reach, tokenizer.stride
        self.context, self.drawing, self.make_optimizer = context, drawing, optimizer

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, on the device of the method."""
        return self._tokenizer[0].to(self.device)

    def setup(self, stage: str) -> None:
        """Get the tokenizer's weights, unless they were loaded with the run's."""
        if not self._weighted:
            data = getattr(self.trainer, "datamodule", None)
            self.facts = self._weights_of(self._tokenizer[0], data)
            self._tokenizer[0].requires_grad_(False).eval()
            self._weighted = True

    def on_fit_start(self) -> None:
        """Get the tokens of the training images."""
        super().on_fit_start()
        if self._grids_of is not None:
            grids = self._grids_of(self.tokenizer, self.trainer.datamodule)
            self._grids = None if grids is None else grids.to(self.device)

    def on_frozen_loaded(self, name: str) -> None:
        """Take notice of the tokenizer's weights."""
        self._weighted = True

    @abstractmethod
    def fill_tokens(self, tokens: Tensor, hidden: Tensor, generators: Generators) -> Tensor:
        """Fill the hidden tokens of grids (B, h, w)."""

    @abstractmethod
    def token_loss(self, target: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Compute the objective of each image, (B,).

        Args:
            target: (B, h, w) int64, the tokens of the clean image
            tokens: (B, h, w) int64, of which the known ones are given
            hidden: (B, h, w) bool
        """

    def hidden(self, mask: Tensor) -> Tensor:
        """Return which tokens a mask (B, 1, H, W) hides, (B, h, w) bool."""
        return hidden_tokens(mask, self.tokenizer.stride, self.reach)

    @torch.no_grad()
    def encoded(self, image: Tensor) -> Tensor:
        """Return the tokens of images, in float32 whatever the transformer computes in."""
        with torch.autocast(image.device.type, enabled=False):
            return self.tokenizer.encode(image.float())

    def predict(
        self,
        masked_image: Tensor,
        mask: Tensor,
        attributes: Tensor | None = None,
        generator: Generators = None,
    ) -> Tensor:
        """Return images (B, C, H, W) decoded from filled tokens."""
        tokens = self.encoded(masked_image)
        self._filled = filled = self.fill_tokens(tokens, self.hidden(mask), generator)
        with torch.autocast(masked_image.device.type, enabled=False):
            return self.tokenizer.decode(filled)

    @abstractmethod
    def hidden_logits(self, target: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Return the logits (B, h, w, V) of hidden tokens, as `token_loss` scores them."""

    def numbers(self, batch: Batch) -> dict[str, Tensor]:
        """Measure the tokens of each image; NaN where a hole hides none.

        - `token_top1`, `token_top5`: share of the hidden tokens that are the most likely one, or
          among the five most likely
        - `collapse`: 1 if the first completion has the same token everywhere in the hole
        - `tokens_changed`: share of the known tokens that differ between image and masked image
        """
        image, mask = batch["image"], batch["mask"]
        if not self.fits(*image.shape[-2:]):
            return {}
        hidden, target = self.hidden(mask), self.encoded(image)
        tokens = self.encoded(erase(image, mask, self.fill))
        likely = self.hidden_logits(target, tokens, hidden).topk(5, dim=-1).indices
        right = likely == target[..., None]
        count = hidden.sum((1, 2))
        none = torch.where(count > 0, 0.0, torch.nan)
        filled = self._filled[:: self.num_completions]
        least = filled.masked_fill(~hidden, self.tokenizer.vocab_size).amin((1, 2))
        most = filled.masked_fill(~hidden, -1).amax((1, 2))
        changed = (tokens != target) & ~hidden
        return {
            "token_top1": (right[..., 0] & hidden).sum((1, 2)) / count,
            "token_top5": (right.any(-1) & hidden).sum((1, 2)) / count,
            "collapse": ((least == most) & (count > 1)).float() + none,
            "tokens_changed": changed.sum((1, 2)) / (~hidden).sum((1, 2)).clamp(min=1) + none,
        }

    def objective(self, batch: Batch, target: Tensor, context: str) -> Tensor:
        """Compute the objective of each image, (B,), given its tokens (B, h, w)."""
        image, mask, tokens = batch["image"], batch["mask"], target
        # Tokens that see their own patch alone are the same in the masked image.
        if context == "erased" and self.tokenizer.reach:
            tokens = self.encoded(erase(image, mask, self.fill))
        return self.token_loss(target, tokens, self.hidden(mask))

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor:
        """Compute the objective given the tokens of the masked image, (B,)."""
        return self.objective(batch, self.encoded(batch["image"]), "erased")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean objective of one batch."""
        if self._grids is None:
            target = self.encoded(batch["image"])
        else:
            index = batch["index"]
            target = self._grids[batch.get("variant", torch.zeros_like(index)), index].long()
        loss = self.objective(batch, target, self.context).mean()
        self.scalars.add(loss=loss)
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Build the optimiser."""
        return self.make_optimizer(self.parameters())
