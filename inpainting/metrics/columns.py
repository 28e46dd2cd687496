"""What is known of a measured number: its name, how tables write it, and which end of it is better."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from inpainting.errors import InputError

DIRECTIONS = ("max", "min", "none")
SCOPES = ("hole", "local", "whole", "set")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number that a metric measures.

    Every table, log, ranking and search reads these details here, and `metrics.json` carries them, so
    a metric that the framework does not know is treated as well as its own.

    Args:
        name: its key in files, in logs (`val/NAME`) and on the command line
        heading: its name in tables
        digits: decimals in tables
        direction: "max" or "min", the better end; "none" where neither is, which keeps the number
            out of tables and rankings
        scope: which part of each image it covers: the "hole" (NaN for an image without one), the
            "local" crop or the "whole"; or the "set" of all images, with one number for them
        truth: what the true images score; None where that depends on the data
        brief: whether it belongs in the narrow table of a terminal

    Raises:
        ValueError: an unknown direction or scope.
    """

    name: str
    heading: str
    digits: int
    direction: str
    scope: str
    truth: float | None
    brief: bool

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS or self.scope not in SCOPES:
            raise ValueError(
                f"column {self.name}: its direction is one of {', '.join(DIRECTIONS)}, its scope "
                f"one of {', '.join(SCOPES)}, not {self.direction!r} and {self.scope!r}"
            )

    @property
    def ranked(self) -> bool:
        """Whether one end of it is better."""
        return self.direction != "none"

    def text(self, value: float | None, signed: bool = False) -> str:
        """A value with the column's decimals; empty for NaN and None."""
        if value is None or isnan(value):
            return ""
        return f"{value:{'+' if signed else ''}.{self.digits}f}"


# The loss that a method states for its evaluation: no metric of ours, but logged and monitored.
LOSS = Column(
    name="loss", heading="loss", digits=4, direction="min", scope="whole", truth=None, brief=False
)

Columns = dict[str, Column]


def named(columns: Iterable[Column]) -> Columns:
    """Columns by their names.

    Raises:
        InputError: two metrics measure a number of the same name.
    """
    found: Columns = {}
    for column in columns:
        if column.name in found:
            raise InputError(
                f"metrics: two of them measure {column.name}; leave one out, with metrics.NAME=null"
            )
        found[column.name] = column
    return found


def ranked(columns: Mapping[str, Column]) -> list[Column]:
    """Those that tables show."""
    return [column for column in columns.values() if column.ranked]


def leading(columns: Mapping[str, Column]) -> list[Column]:
    """The two that stand for all: in these, methods are compared where nothing else is asked for."""
    return [one for one in columns.values() if one.ranked and one.brief and one.scope != "set"][:2]


def better_end(monitor: str, columns: Mapping[str, Column]) -> str:
    """Which end of a number of validation is better, "max" or "min".

    Args:
        monitor: such as "val/psnr_hole"
        columns: what validation measures

    Raises:
        InputError: nothing measures it, or neither end is better.
    """
    known = {f"val/{column.name}": column for column in ranked(columns)}
    if monitor not in known:
        raise InputError(
            f"monitor={monitor}: no metric ranks it; there are {', '.join(known)}. For a number "
            "that the method logs by itself type callbacks.best.mode=max or min with it"
        )
    return known[monitor].direction


def as_plain(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """As `metrics.json` holds them."""
    return [asdict(column) for column in columns.values()]


def from_plain(columns: Iterable[Mapping[str, Any]]) -> Columns:
    """What `as_plain` wrote.

    Raises:
        TypeError: a column lacks a fact, or has one that is unknown.
        ValueError: see `Column`.
    """
    return named(Column(**column) for column in columns)
