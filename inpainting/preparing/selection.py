"""Which images of a data set are kept, and in which split each of them is."""

from dataclasses import dataclass

import numpy as np

from inpainting.data.listing import Listing
from inpainting.errors import InputError
from inpainting.preparing.people import People


@dataclass(frozen=True)
class Selection:
    """The images that are kept.

    All images are divided before any is left out. The split of an image so depends on no
    threshold: two preparations of one data set never exchange training and test images.

    Attributes:
        splits: for each split the indices of its images, in their order
        broken: (N,) bool, which files cannot be read
        with_people: (N,) bool, in which files people were found
    """

    splits: dict[str, np.ndarray]
    broken: np.ndarray
    with_people: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Which files are kept, (N,) bool."""
        return ~(self.broken | self.with_people)

    def names(self) -> list[str]:
        """Return the split of each file, "" for those that are left out."""
        names = [""] * len(self.broken)
        for split, indices in self.splits.items():
            for index in indices.tolist():
                names[index] = split
        return names


def select(
    listing: Listing,
    divided: dict[str, np.ndarray],
    broken: dict[int, str],
    people: People | None,
    threshold: float,
) -> Selection:
    """Leave out the images that are broken or show people.

    Args:
        listing: the image files
        divided: the indices of each split's files, by name
        broken: indices of files that cannot be read
        people: what a detector found; None keeps all images
        threshold: lowest score of an image that is left out

    Raises:
        InputError: no image of a split is left.
    """
    count = len(listing.files)
    is_broken = np.zeros(count, bool)
    is_broken[list(broken)] = True
    with_people = np.zeros(count, bool) if people is None else people.scores >= threshold
    left_out = is_broken | with_people
    splits = {name: indices[~left_out[indices]] for name, indices in divided.items()}
    for name, indices in splits.items():
        if not len(indices):
            raise InputError(
                f"no image of the {name} split is left: {int(is_broken.sum())} of {count} files "
                f"are broken and {int(with_people.sum())} show people; type detector=none to keep "
                "these"
            )
    return Selection(splits, is_broken, with_people)
