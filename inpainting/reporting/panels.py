"""What the figures share: panels, colours, labels in lines, and a legend that fits below."""

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

SIZE = 8  # of the letters, points
LINE = 1.25 * SIZE / 72  # height of a line, inches
CHARACTERS = 40  # of a line; a single word may be longer
HANDLE = 0.6  # what a legend draws beside a label, with the space around it, inches


def colours(rows: Sequence[Row]) -> list[tuple[float, ...]]:
    """A colour for each row, RGBA."""
    palette = matplotlib.colormaps["tab10" if len(rows) <= 10 else "tab20"]
    return [palette(i % palette.N) for i in range(len(rows))]


def panels(
    number: int, height: float, columns: int, share: bool, labels: float = 0
) -> tuple[Figure, list[Axes]]:
    """A figure of its own, without pyplot's global state; `labels` is their width in inches."""
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
    """A label broken between words."""
    return fill(label, CHARACTERS, break_long_words=False, break_on_hyphens=False)


def widest(texts: Sequence[str]) -> float:
    """Inches that the longest line takes."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    font = FontProperties(size=SIZE)
    widths = [TextPath((0, 0), line, prop=font).get_extents().width for line in lines]
    return max(widths, default=0) / 72


def legend_below(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Add a legend in as many columns as fit, and make the figure as much higher."""
    texts = [lines_of(label) for label in labels]
    width, height = figure.get_size_inches()
    each = HANDLE + widest(texts)
    columns = max(1, min(len(texts), int(width / each)))
    lines = 1 + max(text.count("\n") for text in texts)
    rows = ceil(len(texts) / columns)
    columns = ceil(len(texts) / rows)  # evenly
    figure.set_size_inches(max(width, each), height + (rows * (lines + 0.5) + 1) * LINE)
    figure.legend(
        handles,
        texts,
        loc="outside lower center",
        ncols=columns,
        fontsize=SIZE,
        frameon=False,
    )
