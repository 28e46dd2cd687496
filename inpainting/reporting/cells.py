"""What stands in a table's cells: names, numbers with their digits, intervals, times."""

from dataclasses import dataclass

import numpy as np

from inpainting.reporting.intervals import Difference
from inpainting.reporting.rows import Row

# Hole, local crop and whole picture stand beside each other.
HEADINGS = {
    "psnr_hole": "PSNR hole",
    "psnr_local": "PSNR local",
    "psnr": "PSNR whole",
    "ssim_hole": "SSIM hole",
    "ssim": "SSIM whole",
    "l1_local": "L1 local",
    "l1": "L1 whole",
    "lpips": "LPIPS",
    "label_agreement": "label agreement",
    "frechet": "Fréchet",
    "fid": "FID",
    "kid": "KID",
}
DIGITS = {"psnr": 2, "ssim": 3, "l1": 4, "fid": 2, "frechet": 2, "kid": 4}
EMPTY = ""


@dataclass(frozen=True)
class Cell:
    """Text, bold where it is certainly the best of its column."""

    text: str
    bold: bool = False


def heading(metric: str) -> str:
    """A metric's name for readers."""
    return HEADINGS.get(metric, metric.replace("_", " "))


def number(value: float, metric: str, signed: bool = False) -> str:
    """With the digits that are usual for a metric; empty for NaN."""
    if np.isnan(value):
        return EMPTY
    digits = DIGITS.get(metric.split("_")[0], 3)
    return f"{value:{'+' if signed else ''}.{digits}f}"


def with_deviation(row: Row, metric: str) -> str:
    """Mean ± standard deviation over seeds."""
    mean, deviation = number(row.mean(metric), metric), number(row.deviation(metric), metric)
    return f"{mean} ± {deviation}" if mean and deviation else mean


def with_interval(gap: Difference | None, metric: str) -> str:
    """A difference and its interval over the pictures."""
    if gap is None or np.isnan(gap.mean):
        return EMPTY
    mean, low, high = (number(v, metric, signed=True) for v in (gap.mean, gap.low, gap.high))
    return f"{mean} [{low}, {high}]" if low else mean


def duration(seconds: float) -> str:
    """Seconds for readers."""
    if np.isnan(seconds):
        return EMPTY
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 3600:.1f} h"
