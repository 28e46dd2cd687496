"""Helpers that figures share: panels, colours, wrapped labels, and a legend below."""

from collections.abc import Sequence
from math import ceil
from textwrap import fill

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from inpainting.reporting.rows import Row

SIZE = 8  # font size in points
LINE = 1.25 * SIZE / 72  # height of a line of text in inches
CHARACTERS = 40  # most characters of a line; a single word may be longer
HANDLE = 0.6  # width of a legend's handle with the space around it, in inches


def colours(rows: Sequence[Row]) -> list[tuple[float, ...]]:
    """Return an RGBA colour for each row."""
    palette = matplotlib.colormaps["tab10" if len(rows) <= 10 else "tab20"]
    return [palette(i % palette.N) for i in range(len(rows))]


def panels(
    number: int, height: float, columns: int, share: bool, labels: float = 0
) -> tuple[Figure, list[Axes]]:
    """Create a figure of panels without pyplot's global state.

    Args:
        number: number of panels
        height: height of each panel in inches
        columns: most panels side by side
        share: whether the panels share their horizontal axis
        labels: width of the labels left of the panels, in inches
    """
    columns = min(number, columns)
    lines = ceil(number / columns)
    figure = Figure(figsize=(4.4 * columns + labels, height * lines), layout="constrained", dpi=110)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=share).flatten().tolist()
    for unused in axes[number:]:
        unused.remove()
    for axis in axes[:number]:
        axis.tick_params(labelsize=8, which="both", labelbottom=True)
        axis.grid(alpha=0.25)
    return figure, axes[:number]


def lines_of(label: str) -> str:
    """Break a label into lines between words."""
    return fill(label, CHARACTERS, break_long_words=False, break_on_hyphens=False)


def widest(texts: Sequence[str]) -> float:
    """Return the width of the longest line in inches."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    font = FontProperties(size=SIZE)
    widths = [TextPath((0, 0), line, prop=font).get_extents().width for line in lines]
    return max(widths, default=0) / 72


def legend_below(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Add a legend in as many columns as fit, and make the figure higher by its height."""
    texts = [lines_of(label) for label in labels]
    width, height = figure.get_size_inches()
    each = HANDLE + widest(texts)
    columns = max(1, min(len(texts), int(width / each)))
    lines = 1 + max(text.count("\n") for text in texts)
    rows = ceil(len(texts) / columns)
    columns = ceil(len(texts) / rows)  # fills the rows evenly
    figure.set_size_inches(max(width, each), height + (rows * (lines + 0.5) + 1) * LINE)
    figure.legend(
        handles,
        texts,
        loc="outside lower center",
        ncols=columns,
        fontsize=SIZE,
        frameon=False,
    )
