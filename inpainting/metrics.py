"""How near a completion is to its image: L1, PSNR, SSIM; whole, in the hole, on the local crop.

Everything is measured for each image; `summarise` averages over the images.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from inpainting.errors import InputError
from inpainting.image import crop, local_boxes, local_size, to_eight_bits

MAX_PSNR = 100.0  # dB; identical images would have infinity, and with them their mean
SSIM_RADIUS = 5  # the window is 11 pixels wide


class InpaintingMetrics:
    """The metrics of a batch of completions, on the batch's device.

    The completion is rounded to 8 bits once, as it would be saved. `*_hole` counts the pixels with
    mask > 0.5 and is NaN for an image without any; `*_local` is the crop around the hole.

    Args:
        local_share: side of the local crop as a share of the image's, in (0, 1]

    Raises:
        InputError: a share outside (0, 1]
    """

    def __init__(self, local_share: float = 28 / 64):
        if not 0 < local_share <= 1:
            raise InputError(f"metrics.local_share={local_share}: type a share above 0 and up to 1")
        self.local_share = local_share

    def setup(self, data: Any) -> None:
        """Prepare to measure pictures of a data module, before any training; nothing here."""

    @torch.no_grad()
    def __call__(
        self, completion: Tensor, image: Tensor, mask: Tensor, label: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Measure a batch.

        Args:
            completion: (B, C, H, W) in [0, 1]
            image: (B, C, H, W) in [0, 1]
            mask: (B, 1, H, W)
            label: (B,) int64, where the data has labels; not looked at here

        Returns:
            one (B,) float32 for each metric, and the two ingredients of `psnr_hole_pooled`:
            `hole_squared_error`, the sum over the hole's pixels and channels, and `hole_values`,
            their number

        Raises:
            InputError: images smaller than SSIM's window
        """
        completion, image = to_eight_bits(completion.float()), image.float()
        size = local_size(*image.shape[2:], self.local_share)
        corners = local_boxes(mask, size)
        local, local_image = crop(completion, corners, size), crop(image, corners, size)
        hole = mask > 0.5  # (B, 1, H, W)
        hole_pixels = hole.sum((1, 2, 3))
        values = hole_pixels * image.shape[1]
        error = torch.where(hole, completion - image, 0)
        squared = error.square().sum((1, 2, 3))
        similarity = structural_similarity(completion, image).mean(1, keepdim=True)  # (B, 1, H, W)
        inner = similarity[..., SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]
        metrics = {
            "l1": (completion - image).abs().mean((1, 2, 3)),
            "psnr": _psnr(completion, image),
            "ssim": inner.mean((1, 2, 3)),
            "l1_hole": error.abs().sum((1, 2, 3)) / values,  # 0 / 0 is NaN: no hole
            "psnr_hole": (-10 * (squared / values).log10()).clamp(max=MAX_PSNR),
            # Every hole pixel counts, also those at the border, which `ssim` leaves out.
            "ssim_hole": torch.where(hole, similarity, 0).sum((1, 2, 3)) / hole_pixels,
            "l1_local": (local - local_image).abs().mean((1, 2, 3)),
            "psnr_local": _psnr(local, local_image),
            "hole_squared_error": squared,
            "hole_values": values,
        }
        return {name: value.float() for name, value in metrics.items()}

    def to(self, device: torch.device | str) -> "InpaintingMetrics":
        """Move what measures whole sets; nothing here."""
        return self

    def update_set(
        self, completion: Tensor, image: Tensor, keep: Tensor, label: Tensor | None = None
    ) -> None:
        """Add a batch to what is measured on whole sets; nothing here.

        Args:
            completion: (B, C, H, W) in [0, 1]
            image: (B, C, H, W) in [0, 1]
            keep: (B,) bool; False for samples that the sampler repeated
            label: (B,) int64, where the data has labels
        """

    def compute_set(self) -> dict[str, float]:
        """What was measured on the whole set; nothing here."""
        return {}

    def reset_set(self) -> None:
        """Start a new set."""


def spread(completions: Tensor, mask: Tensor) -> Tensor:
    """How far several completions of a hole lie apart.

    Args:
        completions: (B, k, C, H, W) in [0, 1], k of at least 2
        mask: (B, 1, H, W)

    Returns:
        (B,) float32: the standard deviation (with k - 1) of each hole pixel and channel among the
        completions, averaged over the hole; NaN for an image without one
    """
    deviation = to_eight_bits(completions.float()).std(1)  # (B, C, H, W)
    hole = mask > 0.5
    return torch.where(hole, deviation, 0).sum((1, 2, 3)) / (
        hole.sum((1, 2, 3)) * deviation.shape[1]
    )


def _psnr(completion: Tensor, image: Tensor) -> Tensor:
    """PSNR of each image in dB, (B,)."""
    psnr = peak_signal_noise_ratio(
        completion, image, data_range=1.0, dim=(1, 2, 3), reduction="none"
    )
    return psnr.clamp(max=MAX_PSNR)


def structural_similarity(completion: Tensor, image: Tensor) -> Tensor:
    """SSIM's map (Wang et al. 2004): Gaussian window of sigma 1.5 and 11 pixels, range 1.

    The mean of all but its 5-pixel border, where the image is mirrored, is scikit-image's
    `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`. The
    window is separable and applied as two matrix products in double precision: torchmetrics' 2D
    convolution is up to 1e-4 off in single precision, where an image is flat, and in double
    slower by far.

    Args:
        completion: (B, C, H, W)
        image: (B, C, H, W)

    Returns:
        (B, C, H, W) float64

    Raises:
        InputError: a side shorter than the window
    """
    height, width = image.shape[2:]
    if min(height, width) < 2 * SSIM_RADIUS + 1:
        raise InputError(
            f"SSIM needs images of at least {2 * SSIM_RADIUS + 1} px, not {height}x{width}: "
            "type a larger data.image_size"
        )
    x, y = completion.double(), image.double()
    vertical, horizontal = (_window(side, x.device) for side in (height, width))
    products = torch.stack([x, y, x * x, y * y, x * y])
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = vertical @ products @ horizontal.T
    covariance = mean_xy - mean_x * mean_y
    variances = mean_xx - mean_x.square() + mean_yy - mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance * (2 * covariance + c2) / (variances + c2)


@lru_cache(maxsize=8)
def _window(side: int, device: torch.device) -> Tensor:
    """The Gaussian window as a (side, side) float64 matrix; beyond the border the image mirrors."""
    offsets = np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    source = np.pad(np.arange(side), SSIM_RADIUS, mode="reflect")
    matrix = np.zeros((side, side))
    for start, weight in enumerate(weights / weights.sum()):
        matrix[np.arange(side), source[start : start + side]] += weight
    return torch.from_numpy(matrix).to(device)


def summarise(rows: Mapping[str, np.ndarray | Tensor]) -> dict[str, float]:
    """Mean of each metric over the images, and what belongs to the set as a whole.

    NaN is left out where it says that there was nothing to measure: no hole, or (where
    `hole_values` is NaN) no completion. Any other NaN comes of a broken completion and makes the
    mean NaN.

    Args:
        rows: one (N,) for each name, such as `InpaintingMetrics` returns; others are averaged too

    Returns:
        the means; `psnr_hole_pooled`, of the squared error of all hole pixels of the set (the mean
        of images weighs a hole that meets background alone as much as any other); `n` images,
        `n_without_hole` among them
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in rows.items()}
    number = len(next(iter(columns.values()), ()))
    squared = columns.pop("hole_squared_error", np.full(number, np.nan))
    values = columns.pop("hole_values", np.full(number, np.nan))
    summary = {}
    for name, column in columns.items():
        counted = column[~np.isnan(column) | (values > 0)]
        summary[name] = float(counted.mean()) if len(counted) else float("nan")
    total = values[values > 0].sum()
    pooled = squared[values > 0].sum() / total if total else np.nan
    with np.errstate(divide="ignore"):
        summary["psnr_hole_pooled"] = float(np.minimum(-10 * np.log10(pooled), MAX_PSNR))
    return summary | {"n": number, "n_without_hole": int((values == 0).sum())}


def paired_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Mean of a - b over the same images, with its 95 % interval by Student's t.

    Args:
        a: (N,)
        b: (N,); images with NaN in either are left out

    Returns:
        mean, lower and upper limit; the limits are NaN for fewer than two images
    """
    from scipy import stats  # takes half a second to import

    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    difference = difference[~np.isnan(difference)]
    number = len(difference)
    if number < 2:
        return float(difference[0]) if number else float("nan"), float("nan"), float("nan")
    mean = difference.mean()
    half = stats.t.ppf(0.975, number - 1) * difference.std(ddof=1) / number**0.5
    return float(mean), float(mean - half), float(mean + half)
