"""The confidence interval of a paired difference between two methods on the same images."""

import numpy as np


def paired_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of a - b over the same images, with its 95 % interval by Student's t.

    Args:
        a: (N,), one value per image
        b: (N,); images with NaN in a or b are left out

    Returns:
        mean, lower limit and upper limit; the limits are NaN for fewer than two images
    """
    from scipy import stats  # imported here because the import takes half a second

    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    difference = difference[~np.isnan(difference)]
    number = len(difference)
    if number < 2:
        return float(difference[0]) if number else float("nan"), float("nan"), float("nan")
    mean = difference.mean()
    half = stats.t.ppf(0.975, number - 1) * difference.std(ddof=1) / number**0.5
    return float(mean), float(mean - half), float(mean + half)
