"""Finds attributes of images, such as a smile, by their names."""

import difflib
from collections.abc import Sequence

from inpainting.data.arrays import Split
from inpainting.errors import InputError


def attribute_columns(split: Split, names: Sequence[str]) -> list[int]:
    """Return the columns of a split's attributes that have these names, whatever their case.

    Raises:
        InputError: the split has no attribute of a name; lists those it has.
    """
    known = {name.lower(): column for column, name in enumerate(split.attribute_names)}
    for name in names:
        if name.lower() in known:
            continue
        if not known:
            raise InputError(
                f"data.attributes={list(names)}: these images have no attributes; type "
                "data.attributes=[]"
            )
        near = difflib.get_close_matches(name.lower(), known, n=1)
        raise InputError(
            f"data.attributes={list(names)}: there is no {name!r}"
            + (f" (did you mean {split.attribute_names[known[near[0]]]}?)" if near else "")
            + f"; the attributes of these images are {', '.join(split.attribute_names)}"
        )
    return [known[name.lower()] for name in names]
