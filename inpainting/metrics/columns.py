"""Columns: the name of a metric, its format in tables, and whether higher or lower is better."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from inpainting.errors import InputError

DIRECTIONS = ("max", "min", "none")
ARROWS = {"max": "↑", "min": "↓", "none": ""}
MINUS = "−"  # as in the headings
SCOPES = ("hole", "local", "whole", "set")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number that a metric measures.

    Every table, log, ranking and search reads these details here, and `metrics.json` stores them.
    A metric from outside the framework is therefore treated like the framework's own.

    Args:
        name: key of the number in files, in logs (`val/NAME`) and on the command line
        heading: name of the number in tables
        digits: decimals in tables
        direction: the better end, "max" or "min"; "none" if neither end is better, which keeps the
            number out of tables and rankings
        scope: the part of each image that the number covers: the "hole" (NaN for an image without
            a hole), the "local" crop or the "whole" image; or "set" for one number of all images
        truth: score of the true images; None if it depends on the data
        brief: True if the number belongs in the narrow table of a terminal
        unit: of the number, such as "dB"; empty for a share

    Raises:
        ValueError: the direction or the scope is unknown.
    """

    name: str
    heading: str
    digits: int
    direction: str
    scope: str
    truth: float | None
    brief: bool
    unit: str = ""

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS or self.scope not in SCOPES:
            raise ValueError(
                f"column {self.name}: direction={self.direction!r} must be one of "
                f"{', '.join(DIRECTIONS)} and scope={self.scope!r} one of {', '.join(SCOPES)}"
            )

    @property
    def ranked(self) -> bool:
        """True if one end of the number is better."""
        return self.direction != "none"

    @property
    def title(self) -> str:
        """The heading with its unit and an arrow towards the better end."""
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.heading}{unit} {ARROWS[self.direction]}".rstrip()

    def with_unit(self, value: float | None, signed: bool = False) -> str:
        """Format a value for a sentence, with its unit."""
        return f"{self.text(value, signed)} {self.unit}".rstrip()

    def text(self, value: float | None, signed: bool = False) -> str:
        """Format a value with the column's decimals; see `rounded`."""
        return rounded(value, self.digits, signed)


def rounded(value: float | None, digits: int, signed: bool = False) -> str:
    """Format a number for people; NaN and None give an empty string.

    Args:
        value: the number
        digits: decimals
        signed: True to write a plus too
    """
    if value is None or isnan(value):
        return ""
    # z: what rounds to zero has no minus
    return f"{value:{'+' if signed else ''}z.{digits}f}".replace("-", MINUS)


# The loss that a method reports in evaluation: not a metric, but logged and monitored like one.
LOSS = Column(
    name="loss", heading="loss", digits=4, direction="min", scope="whole", truth=None, brief=False
)


def distance_column(name: str, heading: str, digits: int) -> Column:
    """Return the column of a distance between the sets of images and of completions."""
    return Column(
        name=name,
        heading=heading,
        digits=digits,
        direction="min",
        scope="set",
        truth=0.0,
        brief=True,
    )


Columns = dict[str, Column]


def named(columns: Iterable[Column]) -> Columns:
    """Return columns by their names.

    Raises:
        InputError: two metrics measure a number of the same name.
    """
    found: Columns = {}
    for column in columns:
        if column.name in found:
            raise InputError(
                f"metrics: two of them measure {column.name}; type metrics.NAME=null for one of "
                "the two"
            )
        found[column.name] = column
    return found


def ranked(columns: Mapping[str, Column]) -> list[Column]:
    """Return the columns that tables show."""
    return [column for column in columns.values() if column.ranked]


def leading(columns: Mapping[str, Column]) -> list[Column]:
    """Return the two columns in which methods are compared unless others are asked for."""
    brief = (column for column in ranked(columns) if column.brief)
    return [column for column in brief if column.scope != "set"][:2]


def better_end(monitor: str | None, columns: Mapping[str, Column]) -> str:
    """Return "max" or "min", whichever is better for a validation metric.

    Args:
        monitor: the metric's name, such as "val/psnr_hole"
        columns: what validation measures

    Raises:
        InputError: no metric of validation measures it, or neither end of it is better.
    """
    if monitor is None:
        raise InputError(
            "monitor=null: training needs a metric that chooses the best checkpoint; set monitor "
            "in the model's yaml, such as monitor: val/loss or monitor: last"
        )
    known = {f"val/{column.name}": column for column in ranked(columns)}
    if monitor not in known:
        raise InputError(
            f"monitor={monitor}: no metric of validation ranks this; type one of "
            f"{', '.join(known)}, or add callbacks.best.mode=max or callbacks.best.mode=min if the "
            "method logs it"
        )
    return known[monitor].direction


def as_plain(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Return columns as `metrics.json` stores them."""
    return [asdict(column) for column in columns.values()]


def from_plain(columns: Iterable[Mapping[str, Any]]) -> Columns:
    """Return the columns that `as_plain` wrote.

    Raises:
        TypeError: a column lacks a field or has an unknown one.
        ValueError: see `Column`.
    """
    return named(Column(**column) for column in columns)
