"""A method with its weights that fills the holes of any image: what commands and pages call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from inpainting.errors import InputError, check_choice, check_whole
from inpainting.filling.kinds import AnyImage, any_mask, as_photo, check_pair
from inpainting.filling.progress import OnProgress, Progress
from inpainting.images.hole_edges import HoleEdges
from inpainting.images.photo import Photo
from inpainting.methods.base import Inpainter
from inpainting.methods.watch import Watch
from inpainting.rng import seed_from

PIXELS_AT_ONCE = 1 << 20  # of all samples of an image that are drawn in one batch
MOST_SEED = 2**62
BLENDS = ("paste", "poisson")


class Filler:
    """Fills holes, and leaves all other pixels as they are, bit for bit.

    `inpainting.load` makes one from a name. Several threads may share it: they wait for each other.

    Args:
        method: with its weights
        name: of the method, as tables have it
        device: "cpu", "cuda", …; None takes a GPU if there is one
        precision: makes the context in which the network computes; None is float32

    Attributes:
        name: of the method
        device: on which it computes
        precision: see above
        method: the Lightning module
    """

    def __init__(
        self,
        method: Inpainter,
        name: str,
        device: str | torch.device | None = None,
        precision: Callable[[], AbstractContextManager] | None = None,
    ):
        self.name, self.precision = name, precision or nullcontext
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        method.setup("predict")  # some networks beside the method's own get their weights here
        self.method = method.to(self.device).eval()
        self._one_at_a_time = Lock()

    @property
    def stochastic(self) -> bool:
        """True if samples of other seeds differ."""
        return self.method.stochastic

    @property
    def channels(self) -> int:
        """Channels of the images it was trained on: 1 (grey) or 3 (RGB)."""
        return self.method.channels

    @property
    def side(self) -> int | None:
        """Side of the images it was trained on, in pixels; None where any size is filled alike."""
        return self.method.fixed_size

    @property
    def attributes(self) -> list[str]:
        """Names of the attributes that can be asked for, with values from 0 (absent) to 1."""
        return list(self.method.attributes.names)

    @property
    def fills_holes(self) -> bool:
        """False for a method that only reconstructs whole images; see `edit`."""
        return self.method.fills_holes

    @property
    def network_calls(self) -> int | None:
        """Network calls that `on_progress` counts for an image without windows; None: not told."""
        return getattr(self.method, "network_calls", None)

    def fill(
        self,
        image: AnyImage,
        mask: AnyImage,
        *,
        attributes: Mapping[str, float] | None = None,
        samples: int | None = None,
        seed: int = 0,
        mask_hole: str = "white",
        mask_threshold: float | None = None,
        dilate: int = 0,
        feather: int = 0,
        blend: str = "paste",
        on_progress: OnProgress | None = None,
    ) -> Any:
        """Fill the hole of an image of any size.

        Args:
            image: an array (H, W) or (H, W, C) of uint8, uint16 or floats in [0, 1], an image of
                PIL, or the path of a file, which is turned upright as its EXIF data say. Floats in
                the hole may be NaN
            mask: of the image's size and of any of these kinds, or an array of bool; white or True
                is the hole, and grey blends
            attributes: what to show, from 0 (absent) to 1 (present), such as {"smiling": 1}; those
                that are not named are taken as 0
            samples: how many to draw; None returns one image instead of a list
            seed: of the first sample, 0 or more; the next has seed + 1. A sample follows from its
                seed alone: the seed again gives it again, to within rounding
            mask_hole: "black" for masks that are drawn the other way round
            mask_threshold: makes every pixel of the mask hole or known
            dilate: px by which the hole grows
            feather: px around the hole over which fill and image are blended
            blend: "paste", or "poisson" to shift the fill so that it meets the known pixels
                without a seam (Pérez et al. 2003)
            on_progress: see `OnProgress`; only diffusion models call it

        Returns:
            an image of the given kind, type and size, or a list of them; a path gives an image of
            PIL, or an array where the file has 16 bits of colour

        Raises:
            InputError: an argument cannot be used; it says what to give instead.
        """
        photo, back = as_photo(image)
        hole = HoleEdges(mask_threshold, dilate, feather)(any_mask(mask, mask_hole))
        if samples is not None:
            check_whole("samples", samples, 1)
        check_whole("seed", seed, 0, MOST_SEED)
        seeds = range(seed, seed + (samples or 1))
        tell = None
        if on_progress is not None:

            def tell(done: int, total: int, filled: list[Photo] | None) -> None:
                shown = None if filled is None else [back(one) for one in filled]
                on_progress(done, total, shown if samples or shown is None else shown[0])

        filled = self.fill_photo(photo, hole, attributes or {}, seeds, blend, tell)
        return [back(one) for one in filled] if samples else back(filled[0])

    def edit(
        self, image: AnyImage, *, attributes: Mapping[str, float] | None = None, seed: int = 0
    ) -> Any:
        """Let a whole image show other attributes; there is no hole, and any pixel may change.

        Args:
            image: see `fill`; of another size than the network's only the centre square changes
            attributes: see `fill`
            seed: see `fill`

        Returns:
            an image of the given kind, type and size

        Raises:
            InputError: the method needs no training and leaves whole images as they are, or an
                argument cannot be used.
        """
        photo, back = as_photo(image)
        return back(self.edit_photo(photo, attributes or {}, seed))

    def fill_photo(
        self,
        photo: Photo,
        hole: Tensor,
        attributes: Mapping[str, float],
        seeds: Sequence[int],
        blend: str = "paste",
        on_progress: OnProgress | None = None,
    ) -> list[Photo]:
        """Fill a photo once with each seed; see `fill`.

        Args:
            photo: the image
            hole: (1, 1, H, W) in [0, 1], 1 = hole, as it is filled
            attributes: see `fill`
            seeds: one for each sample
            blend: see `fill`
            on_progress: is given lists of photos

        Raises:
            InputError: image and hole do not fit, no pixel is known, or an argument cannot be used.
        """
        if not self.fills_holes:
            raise InputError(
                f"{self.name} reconstructs images and fills no holes; take another method"
            )
        check_choice("blend", blend, BLENDS)
        check_pair(photo, hole)
        if not (hole > 0).any():
            return [photo] * len(seeds)
        drawn = seeds if self.stochastic else seeds[:1]
        at_once = max(1, PIXELS_AT_ONCE // hole.numel())
        parts = [drawn[start : start + at_once] for start in range(0, len(drawn), at_once)]
        filled: list[Photo] = []
        with self._one_at_a_time:
            self.method.attributes.ask(attributes)
            self.method.blend = blend
            for number, part in enumerate(parts):
                progress = Progress(photo, hole, filled, number, len(parts), on_progress)
                self.method.watch = None if on_progress is None else Watch(progress)
                try:
                    filled = filled + self._filled(photo, hole, part)
                finally:
                    self.method.watch = None
        return filled if self.stochastic else filled * len(seeds)

    def edit_photo(self, photo: Photo, attributes: Mapping[str, float], seed: int) -> Photo:
        """Edit a whole photo; see `edit`."""
        if not self.method.trained:
            raise InputError(f"{self.name} fills holes and leaves whole images as they are")
        check_whole("seed", seed, 0, MOST_SEED)
        everywhere = torch.ones(1, 1, *photo.pixels.shape[:2])
        image = photo.to_tensor(self.channels).to(self.device)
        with self._one_at_a_time, torch.no_grad(), self.precision():
            self.method.blend = "paste"  # there are no known pixels to meet
            self.method.attributes.ask(attributes)
            wanted = self.method.attributes.wanted({"image": image})
            edited = self.method.edit(image, wanted, self._generators([seed]))
        return photo.fill(edited.float().cpu(), everywhere)

    def _filled(self, photo: Photo, hole: Tensor, seeds: Sequence[int]) -> list[Photo]:
        with torch.no_grad(), self.precision():
            # `complete` without its composite, which `Photo` does for the hole's pixels alone.
            predictions = self.method.predict_any_size(
                photo.to_tensor(self.channels).to(self.device),
                hole.to(self.device),
                None,
                self._generators(seeds),
                len(seeds),
            )
        return [photo.fill(one[None], hole) for one in predictions[0]]

    def _generators(self, seeds: Sequence[int]) -> list[torch.Generator] | None:
        if not self.stochastic:
            return None
        return [torch.Generator(self.device).manual_seed(seed_from(seed)) for seed in seeds]
