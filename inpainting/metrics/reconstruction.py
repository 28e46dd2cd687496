"""PSNR, SSIM and L1 between completion and image: in the hole, around the hole and as a whole."""

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from inpainting.errors import InputError
from inpainting.images.crops import crop, local_corners, local_size
from inpainting.images.evaluated import Completed
from inpainting.metrics.base import ImageMetric
from inpainting.metrics.columns import Column
from inpainting.metrics.ssim import RADIUS, structural_similarity
from inpainting.values import Share

MAX_PSNR = 100.0  # dB; identical images would score infinity, and so would the mean of their set


def _psnr(name: str, heading: str, scope: str, brief: bool) -> Column:
    return Column(
        name=name,
        heading=heading,
        digits=2,
        direction="max",
        scope=scope,
        truth=MAX_PSNR,
        brief=brief,
        unit="dB",
    )


def _ssim(name: str, heading: str, scope: str, brief: bool) -> Column:
    return Column(
        name=name, heading=heading, digits=3, direction="max", scope=scope, truth=1.0, brief=brief
    )


def _l1(name: str, heading: str, scope: str) -> Column:
    return Column(
        name=name, heading=heading, digits=4, direction="min", scope=scope, truth=0.0, brief=False
    )


class Reconstruction(ImageMetric):
    """L1, PSNR and SSIM of each completion, rounded to 8 bits as it would be saved.

    `*_hole` covers the pixels with mask > 0.5 and is NaN for an image without such pixels;
    `*_local` covers the local crop around the hole.

    Args:
        local_share: side of the local crop as a share of the image's side, in (0, 1]

    Raises:
        InputError: `local_share` is outside (0, 1].
    """

    columns = (
        _psnr("psnr_hole", "PSNR hole", "hole", brief=True),
        _ssim("ssim_hole", "SSIM hole", "hole", brief=True),
        _l1("l1_hole", "L1 hole", "hole"),
        _psnr("psnr_local", "PSNR local", "local", brief=False),
        _l1("l1_local", "L1 local", "local"),
        _psnr("psnr", "PSNR whole", "whole", brief=True),
        _ssim("ssim", "SSIM whole", "whole", brief=True),
        _l1("l1", "L1 whole", "whole"),
    )
    packages = ("torchmetrics",)

    def __init__(self, local_share: Share = 28 / 64):
        if not 0 < local_share <= 1:
            raise InputError(
                f"metrics.reconstruction.local_share={local_share}: type a share above 0, up to 1"
            )
        self.local_share = local_share

    def prepare(self, data: object) -> None:
        """Refuse images smaller than SSIM's window.

        Raises:
            InputError: the images are smaller than that window.
        """
        side = data.image_size
        structural_similarity(*torch.zeros(2, 1, 1, side, side))

    @torch.no_grad()
    def measure(self, completed: Completed) -> dict[str, Tensor]:
        """Measure a batch; see `ImageMetric`.

        Raises:
            InputError: the images are smaller than SSIM's window.
        """
        completion, image, mask = completed.saved, completed.image.float(), completed.mask
        size = local_size(*image.shape[2:], self.local_share)
        corners = local_corners(mask, size)
        local, local_image = crop(completion, corners, size), crop(image, corners, size)
        hole = mask > 0.5  # (B, 1, H, W)
        hole_pixels = hole.sum((1, 2, 3))
        error, squared = hole_error(completion, image, hole)
        values = hole_pixels * image.shape[1]
        similarity = structural_similarity(completion, image).mean(1, keepdim=True)  # (B, 1, H, W)
        inner = similarity[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
        measured = {
            "psnr_hole": (-10 * (squared / values).log10()).clamp(max=MAX_PSNR),
            # All hole pixels count, including those at the image's border, which `ssim` omits.
            "ssim_hole": torch.where(hole, similarity, 0).sum((1, 2, 3)) / hole_pixels,
            "l1_hole": error.abs().sum((1, 2, 3)) / values,  # 0 / 0 is NaN: no hole
            "psnr_local": psnr(local, local_image),
            "l1_local": (local - local_image).abs().mean((1, 2, 3)),
            "psnr": psnr(completion, image),
            "ssim": inner.mean((1, 2, 3)),
            "l1": (completion - image).abs().mean((1, 2, 3)),
        }
        return {name: value.float() for name, value in measured.items()}


def hole_error(completion: Tensor, image: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Return the error in the hole (B, C, H, W), zero elsewhere, and its sum of squares (B,)."""
    error = torch.where(hole, completion - image, 0)
    return error, error.square().sum((1, 2, 3))


def psnr(completion: Tensor, image: Tensor) -> Tensor:
    """Return the PSNR of each image in dB, at most `MAX_PSNR`; (B,)."""
    values = peak_signal_noise_ratio(
        completion, image, data_range=1.0, dim=(1, 2, 3), reduction="none"
    )
    return values.clamp(max=MAX_PSNR)
