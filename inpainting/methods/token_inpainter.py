"""What TokenBERT and TokenGPT share: images become tokens, and a transformer fills the hidden ones.

Departures from report 000: the tokenizer reads the masked image, so that no token knows what is in
the hole, where the report hid tokens of the whole image (`context=clean`); and the tokens' vectors
start from the tokenizer's (`vectors=random` undoes it).
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from inpainting.errors import InputError, check_choice, check_whole
from inpainting.images.algebra import erase
from inpainting.methods.base import Batch, Inpainter
from inpainting.nn.token_transformers import start_from
from inpainting.rng import Generators
from inpainting.tokens.decoding import Filled, Holes, TokenDrawing, holes_of
from inpainting.tokens.masking import hidden_tokens
from inpainting.tokens.tokenizer import Tokenizer
from inpainting.values import Count, Natural


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
        vectors: what the tokens' vectors start as: "random", or as those of the "tokenizer", which
            knows which tokens are alike
        reach: how far beyond its patch a token is hidden by a hole, in pixels
        context: what the known tokens are read from in training: "erased", the masked image as
            in every test, or "clean", the whole image as in report 000
        train_tokens: hidden tokens of an image that a training step predicts, the first ones; the
            number is fixed, so that no step waits for the device
        drawing: how tokens are drawn
        painting: what the hole is decoded from: the "drawn" tokens, or the "mean" of all tokens by
            their probability, whose error is smaller and whose edges are softer
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
        vectors: Literal["random", "tokenizer"],
        reach: Natural,
        context: Literal["erased", "clean"],
        train_tokens: Count,
        drawing: TokenDrawing,
        painting: Literal["drawn", "mean"],
        optimizer: Callable[[Any], Optimizer],
        **options: Any,
    ):
        super().__init__(**options)
        check_choice("model.context", context, ("erased", "clean"))
        check_choice("model.vectors", vectors, ("random", "tokenizer"))
        check_choice("model.painting", painting, ("drawn", "mean"))
        # as many px as an image's side would hide every token
        check_whole("model.reach", reach, 0, self.fixed_size - 1 if self.fixed_size else None)
        check_whole("model.train_tokens", train_tokens, 1)
        self._tokenizer = (tokenizer.requires_grad_(False).eval(),)  # which hides it from Lightning
        self._weights_of = tokenizer_weights
        self._weighted, self.vectors, self._fresh = False, vectors, True
        self._grids_of, self._grids = token_grids, None
        self.train_tokens, self._most = train_tokens, torch.tensor(0)
        self._filled = torch.empty(0)  # tokens of the last prediction
        if tokenizer.portable:
            self.frozen["tokenizer"] = tokenizer
        self.reach, self.size_multiple = reach, tokenizer.stride
        self.context, self.drawing, self.painting = context, drawing, painting
        self.make_optimizer = optimizer

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, on the device of the method."""
        return self._tokenizer[0].to(self.device)

    def setup(self, stage: str) -> None:
        """Get the tokenizer's weights, unless they were loaded with the run's."""
        if not self._weighted:
            # By hand there may be no trainer, which Lightning's property would not allow.
            data = getattr(self._trainer, "datamodule", None)
            self.frozen_facts["tokenizer"] = self._weights_of(self._tokenizer[0], data)
            self._tokenizer[0].requires_grad_(False).eval()
            self._weighted = True
        if stage == "fit" and self._fresh and self.vectors == "tokenizer":
            start_from(self.network, self.tokenizer.vectors_of_tokens())
            self._fresh = False

    def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
        """Load weights, after which the transformer is no longer fresh."""
        self._fresh = False
        return super().load_state_dict(*arguments, **options)

    def on_fit_start(self) -> None:
        """Get the tokens of the training images."""
        super().on_fit_start()
        if self._grids_of is not None:
            grids = self._grids_of(self.tokenizer, self.trainer.datamodule)
            self._grids = None if grids is None else grids.to(self.device)

    def on_frozen_loaded(self, name: str, facts: dict[str, Any]) -> None:
        """Take notice of the tokenizer's weights, and what is known about it."""
        self._weighted, self.frozen_facts[name] = True, facts

    @abstractmethod
    def fill_tokens(self, holes: Holes, generators: Generators) -> Filled:
        """Fill the hidden tokens."""

    @abstractmethod
    def logits(self, target: Tensor, holes: Holes) -> Tensor:
        """Return the logits (B, n, V) of hidden tokens that the objective scores.

        Args:
            target: (B, h, w) int64, the tokens of the clean image
            holes: the n hidden tokens of each image
        """

    def to_predict(self, target: Tensor, holes: Holes) -> Holes:
        """Return those of the hidden tokens that a training step predicts."""
        return holes

    def token_loss(self, target: Tensor, holes: Holes) -> Tensor:
        """Compute the mean cross-entropy of each image's hidden tokens, (B,); see `logits`."""
        logits = self.logits(target, holes).transpose(1, 2).float()
        error = F.cross_entropy(logits, holes.at_places(target), reduction="none")  # (B, n)
        return (error * holes.present).sum(1) / holes.present.sum(1).clamp(min=1)

    def holes(self, tokens: Tensor, mask: Tensor, length: int | None = None) -> Holes:
        """Find the tokens (B, h, w) that a mask (B, 1, H, W) hides, or so many of each image."""
        return holes_of(tokens, hidden_tokens(mask, self.size_multiple, self.reach), length)

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
        holes = self.holes(self.encoded(masked_image), mask)
        filled = self.fill_tokens(holes, generator)
        self._filled = filled.tokens
        with torch.autocast(masked_image.device.type, enabled=False):
            if self.painting == "drawn":
                return self.tokenizer.decode(filled.tokens)
            return self.tokenizer.decode_mixed(filled.shares(holes))

    def numbers(self, batch: Batch) -> dict[str, Tensor]:
        """Measure the tokens of each image; NaN where a hole hides none.

        - `token_top1`, `token_top5`: share of the hidden tokens that are the most likely one, or
          among the five most likely
        - `collapse`: 1 if the first completion has one token in all of several places; a hole of
          one token counts as 0
        - `tokens_changed`: share of the known tokens that differ between image and masked image
        """
        image, mask = batch["image"], batch["mask"]
        if not self.fits(*image.shape[-2:]):
            return {}
        target = self.encoded(image)
        holes = self.holes(self.encoded(erase(image, mask, self.fill)), mask)
        logits = self.logits(target, holes)
        likely = logits.topk(min(5, logits.shape[-1]), dim=-1).indices
        right = (likely == holes.at_places(target)[..., None]) & holes.present[..., None]
        count = holes.present.sum(1)
        none = torch.where(count > 0, 0.0, torch.nan)
        collapsed = holes.uniform(self._filled[:: self.num_completions])
        known = ~holes.hidden
        changed = ((holes.tokens != target) & known).sum((1, 2))
        return {
            "token_top1": right[..., 0].sum(1) / count,
            "token_top5": right.any(-1).sum(1) / count,
            "collapse": collapsed.float() + none,
            "tokens_changed": changed / known.sum((1, 2)).clamp(min=1) + none,
        }

    def context_tokens(self, batch: Batch, target: Tensor, context: str) -> Tensor:
        """Return the tokens (B, h, w) that hidden ones are predicted from, given the clean ones."""
        # Tokens that see their own patch alone are the same in the masked image.
        if context == "clean" or not self._tokenizer[0].reach:
            return target
        return self.encoded(erase(batch["image"], batch["mask"], self.fill))

    def evaluation_loss(
        self, batch: Batch, prediction: Tensor | None, generator: Generators
    ) -> Tensor:
        """Compute the objective of all hidden tokens given the masked image, (B,)."""
        target = self.encoded(batch["image"])
        tokens = self.context_tokens(batch, target, "erased")
        return self.token_loss(target, self.holes(tokens, batch["mask"]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean objective of one batch."""
        if self._grids is None:
            target = self.encoded(batch["image"])
        else:
            index = batch["index"]
            target = self._grids[batch.get("variant", torch.zeros_like(index)), index].long()
        tokens = self.context_tokens(batch, target, self.context)
        length = min(self.train_tokens, target[0].numel())
        holes = self.holes(tokens, batch["mask"], length)
        self._most = torch.maximum(self._most.to(self.device), holes.hidden.sum((1, 2)).max())
        loss = self.token_loss(target, self.to_predict(target, holes)).mean()
        self.scalars.add(loss=loss)
        return loss

    def on_scalars_read(self, values: dict[str, float]) -> None:
        """Stop if a hole was larger than what a step trains.

        Raises:
            InputError: tokens of a hole have not been trained.
        """
        most = int(self.trainer.strategy.reduce(self._most, reduce_op="max"))
        if most > self.train_tokens:
            raise InputError(
                f"model.train_tokens={self.train_tokens}: a hole hides {most} tokens, and those "
                f"beyond are never trained; type model.train_tokens={most} or more"
            )

    def configure_optimizers(self) -> Optimizer:
        """Build the optimiser."""
        return self.make_optimizer(self.parameters())
