"""The command that repeats what the page did."""

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath

from inpainting.runs.arguments import quoted


def predict_command(
    typed: tuple[str, str],
    checkpoint: str,
    name: str,
    seeds: range | None,
    blend: str,
    attributes: Mapping[str, float],
) -> str:
    """Return the command of `predict` that fills the same hole of the same image.

    Args:
        typed: key and value that name the method
        checkpoint: of its run
        name: of the image's file, as the user has it; the page saves the mask beside it
        seeds: one for each sample; None for a method that draws no random numbers
        blend: see `Filler.fill`
        attributes: values by name
    """
    name = PurePath(name).name or "image.png"
    words = [_pair(*typed)]
    if typed[0] == "run" and checkpoint != "best":
        words.append(_pair("checkpoint", checkpoint))
    words += [_pair("input", name), _pair("masks", mask_name(name)), "out=filled"]
    # Said even where they are 1 and 0: a run may have defaults of its own.
    words += [] if seeds is None else [f"samples={len(seeds)}", f"seed={seeds.start}"]
    words += [] if blend == "paste" else [f"blend={blend}"]
    words += [f"attributes.{key}={value:g}" for key, value in attributes.items()]
    return shlex.join(["python", "-m", "inpainting.predict", *words])


def mask_name(name: str) -> str:
    """Return the name under which the page saves the mask of an image."""
    return f"{PurePath(name).stem}_mask.png"


def _pair(key: str, value: str) -> str:
    # Hydra's grammar takes these characters as they are, and all others in quotes.
    return f"{key}={value}" if re.fullmatch(r"[\w./-]+", value) else quoted(key, value)
