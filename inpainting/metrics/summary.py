"""The means over a set of the numbers of its images."""

from collections.abc import Mapping

import numpy as np

from inpainting.metrics.columns import Column


def means(
    rows: Mapping[str, np.ndarray], columns: Mapping[str, Column], hole_pixels: np.ndarray
) -> dict[str, float]:
    """Return the mean of each column over the images.

    A column of scope "hole" is averaged over the images that have a hole. Any other NaN stems from
    a broken completion and makes the mean NaN.

    Args:
        rows: (N,) values for each column name
        columns: the columns, by the same names
        hole_pixels: (N,), number of pixels in each image's hole
    """
    found = {}
    for name, values in rows.items():
        counted = np.asarray(values, dtype=np.float64)
        if columns[name].scope == "hole":
            counted = counted[np.asarray(hole_pixels) > 0]
        found[name] = float(counted.mean()) if len(counted) else float("nan")
    return found
