"""The table that compares methods tested on the same images and holes."""

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from inpainting.metrics.columns import Column, leading, ranked
from inpainting.metrics.intervals import paired_difference
from inpainting.runs.results import Result

WIDE = 110  # characters, in which a terminal has room for means of less interest


def _advantage(first: Result, other: Result, column: Column) -> str:
    """Return first minus other as text, with its paired 95 % interval over the images."""
    gap = paired_difference(first.rows[column.name], other.rows[column.name])
    mean, low, high = (column.text(value, signed=True) for value in gap)
    return f"{mean} [{low}, {high}]"


def comparison(
    results: Sequence[Result], brief: bool, narrow: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table of methods; the first is compared with each of the others.

    Args:
        results: of the methods, tested on the same images and holes
        brief: True for a terminal
        narrow: True for a terminal that has room for the conclusion alone

    Raises:
        ValueError: the results were not measured on the same images and holes.
    """
    first = results[0]
    hashes = {result.details["mask_hash"] for result in results}
    if len(hashes) > 1:
        raise ValueError(f"measured on different holes or images: {sorted(hashes)}")
    measured = {
        name: column
        for name, column in first.columns.items()
        if not all(isnan(result.summary.get(name, nan)) for result in results)
    }
    shown = [column for column in measured.values() if column.brief] if brief else ranked(measured)
    gains = leading(measured) if len(results) > 1 else []
    # Beside a number stands what it comes to, so that a narrow terminal has the conclusion too.
    if narrow and gains:
        shown = gains
    header, lines = ["method"], [[result.method] for result in results]
    for column in shown:
        header.append(column.title)
        for line, result in zip(lines, results, strict=True):
            line.append(column.text(result.summary.get(column.name)))
        if column in gains:
            about = "" if narrow else f" in {column.heading}"
            header.append(f"{first.method}'s gain{about}")
            for line, result in zip(lines, results, strict=True):
                line.append("" if result is first else _advantage(first, result, column))
    return header, lines


def markdown_table(results: Sequence[Result]) -> str:
    """Return the comparison as a Markdown table with its caption."""
    header, rows = comparison(results, brief=False)
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{caption(results)}\n"


def rich_table(results: Sequence[Result], narrow: bool) -> Table:
    """Return the comparison as a table for the terminal, with its caption."""
    header, rows = comparison(results, brief=True, narrow=narrow)
    table = Table(caption=caption(results), caption_justify="left", box=SIMPLE_HEAD)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:  # an interval stands below its mean
        table.add_row(*(text.replace(" [", "\n[") for text in row))
    return table


def caption(results: Sequence[Result]) -> str:
    """Return a sentence that says which images and holes the numbers are means over."""
    summary = results[0].summary
    text = f"Means over {int(summary['n'])} images, holes {results[0].details['mask_hash']}"
    if summary.get("n_without_hole"):
        text += f"; {int(summary['n_without_hole'])} without a hole are left out of *_hole"
    if len(results) > 1:
        text += "; brackets: paired 95 % intervals, each by itself, over other images; another "
        text += "training may differ by more"
    return text + "."


def announce(results: Sequence[Result], folder: Path) -> None:
    """Print the table, the path of a grid of images if there is one, and the run's folder."""
    console = Console()
    if not console.is_terminal:  # a pipe or a log file has no width
        console = Console(width=180)
    console.print(rich_table(results, narrow=console.width < WIDE))
    for name in ("comparison.png", "test.png"):
        path = folder / "images" / name
        if path.is_file():
            console.print(f"Image:  {path}", soft_wrap=True, highlight=False)
            break
    console.print(f"Folder: {folder}", soft_wrap=True, highlight=False)
