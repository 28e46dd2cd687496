"""What a setting may be: bounds for annotations, and the check of a value against an annotation.

The arguments of a class say by their annotations what can be typed for them: `int`, `float | None`,
`Sequence[int]`, `Literal["raw", "composite"]`, or with bounds `Count` and `Share`. The
configuration is held to them before a command writes anything, see `inpainting.runs.checked`.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin


@dataclass(frozen=True)
class Bounds:
    """The least and the largest value of a number, both allowed unless `open_below`."""

    least: float
    most: float = math.inf
    open_below: bool = False

    def allow(self, value: float) -> bool:
        """Return True for a value within the bounds."""
        above = value > self.least if self.open_below else value >= self.least
        return above and value <= self.most

    def __str__(self) -> str:
        least, most = (
            f"{end:g}" if abs(end) < 1e6 else str(end) for end in (self.least, self.most)
        )
        if self.open_below:
            return f" above {least}" + ("" if self.most == math.inf else f", up to {most}")
        return f", {least} or more" if self.most == math.inf else f" from {least} to {most}"


@dataclass(frozen=True)
class Name:
    """Text that can name a folder; slashes make folders inside others."""

    longest: int = 100  # bytes of each part: file systems allow 255, and the time of a run follows

    def allow(self, value: str | int) -> bool:
        """Return True for text that a folder can be named by."""
        return all(
            part.strip(". ") and len(part.encode()) <= self.longest and "\0" not in part
            for part in str(value).split("/")
        )

    def __str__(self) -> str:
        return f"a name for a folder, of at most {self.longest} characters"


@dataclass(frozen=True)
class Writable:
    """The path of a folder that exists or can be made."""

    def allow(self, value: str) -> bool:
        """Return True unless a file is in the way, or the folder cannot be written to."""
        path = Path(value).expanduser().absolute()
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        return there.is_dir() and os.access(there, os.W_OK)

    def __str__(self) -> str:
        return "the path of a folder that can be written to"


@dataclass(frozen=True)
class Duration:
    """A length of time, as Lightning writes it."""

    def allow(self, value: str) -> bool:
        """Return True for days, hours, minutes and seconds."""
        return re.fullmatch(r"\d+:\d\d:\d\d:\d\d", value) is not None

    def __str__(self) -> str:
        return "days:hours:minutes:seconds, such as 00:08:00:00"


Count = Annotated[int, Bounds(1)]
Natural = Annotated[int, Bounds(0)]
Seed = Annotated[int, Bounds(0, 2**32 - 1)]  # as NumPy's and Lightning's
Side = Annotated[int, Bounds(1, 4096)]  # px; a batch of larger images would fill any memory
Share = Annotated[float, Bounds(0, 1)]
Weight = Annotated[float, Bounds(0)]
Part = Annotated[float, Bounds(0, 1, open_below=True)]
Positive = Annotated[float, Bounds(0, open_below=True)]
FolderName = Annotated[str, Name()]
NewFolder = Annotated[str, Writable()]

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
WORDS |= {Path: "a path", NoneType: "null", None: "null"}


def fits(value: Any, hint: Any) -> bool:
    """Return True if a plain value of a yaml can be an argument of this annotation.

    Args:
        value: a number, text, bool, None, or a list or dict of these
        hint: an annotation; what it cannot be judged by, such as a type variable, fits everything
    """
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin is Annotated:
        return fits(value, args[0]) and all(bound.allow(value) for bound in hint.__metadata__)
    if origin in (Union, UnionType):
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(value == arg and type(value) is type(arg) for arg in args)
    if hint in (None, NoneType):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is str:  # digits are read as a number, and name=2024 is a name
        return isinstance(value, str | int) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str)
    if hint in (int, float):
        number = isinstance(value, int | hint) and not isinstance(value, bool)
        return number and math.isfinite(value)
    return _container_fits(value, origin or hint, args)


def _container_fits(value: Any, kind: Any, args: tuple[Any, ...]) -> bool:
    if not isinstance(kind, type):
        return True
    if issubclass(dict, kind) and kind is not object and issubclass(kind, Mapping):
        return isinstance(value, Mapping) and (
            not args or all(fits(entry, args[1]) for entry in value.values())
        )
    if kind is tuple and args and args[-1] is not Ellipsis:
        return isinstance(value, list) and len(value) == len(args) and all(map(fits, value, args))
    if issubclass(kind, Sequence) or issubclass(list, kind) and kind is not object:
        return isinstance(value, list) and (
            not args or all(fits(entry, args[0]) for entry in value)
        )
    return kind is object  # any other class takes an object, which no plain value is


def describe(hint: Any, several: bool = False) -> str:
    """Return in words what can be typed for an annotation; empty where only an object fits.

    Args:
        hint: the annotation
        several: True for the plural, as in a list of whole numbers
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bound = hint.__metadata__[0]
        return f"{describe(args[0], several)}{bound}" if isinstance(bound, Bounds) else str(bound)
    if origin in (Union, UnionType):
        words = [describe(arg, several) for arg in args]
        distinct = list(dict.fromkeys(word for word in words if word))
        return ", or ".join(distinct) if any("," in w for w in distinct) else " or ".join(distinct)
    if origin is Literal:
        return " or ".join(str(arg) for arg in args)
    if several and hint in (int, float):
        return WORDS[hint].removeprefix("a ") + "s"
    if hint in WORDS:
        return WORDS[hint]
    kind = origin or hint
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "keys and values as {KEY:VALUE}"
    if isinstance(kind, type) and issubclass(kind, Sequence):
        return f"a list of {describe(args[0], several=True) or 'objects'}" if args else "a list"
    return ""


def as_typed(value: Any) -> str:
    """Write a plain value as it is typed on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{as_typed(entry)}' for key, entry in value.items())}}}"
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))
