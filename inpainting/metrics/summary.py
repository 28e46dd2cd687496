"""From numbers of each image to those of the set."""

from collections.abc import Mapping

import numpy as np

from inpainting.metrics.columns import Column


def means(
    rows: Mapping[str, np.ndarray], columns: Mapping[str, Column], hole_pixels: np.ndarray
) -> dict[str, float]:
    """The mean of each column over its images.

    A column of scope "hole" is averaged over the images that have one; any other NaN comes of a
    broken completion and makes the mean NaN.

    Args:
        rows: (N,) for each name
        columns: by the same names
        hole_pixels: (N,), pixels of each image's hole
    """
    found = {}
    for name, values in rows.items():
        counted = np.asarray(values, dtype=np.float64)
        if columns[name].scope == "hole":
            counted = counted[np.asarray(hole_pixels) > 0]
        found[name] = float(counted.mean()) if len(counted) else float("nan")
    return found
