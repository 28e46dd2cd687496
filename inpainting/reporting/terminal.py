"""A summary of a report for the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from inpainting.reporting.build import Report
from inpainting.reporting.tables import Table


def _printed(table: Table) -> RichTable:
    """Return the columns that a terminal has room for."""
    shown = table.shown
    printed = RichTable(title=Text(table.title), title_justify="left", box=SIMPLE_HEAD)
    for i in shown:
        heading = table.header[i].replace(" − ", "\n− ").replace(" hole ", "\nhole ")
        justify, folds = ("right", False) if i else ("left", True)
        printed.add_column(Text(heading), justify=justify, no_wrap=not folds, overflow="fold")
    for line in table.lines:
        cells = [line[i] for i in shown]
        texts = [cell.text.replace(" [", "\n[") for cell in cells]  # so that 80 columns are enough
        pairs = zip(texts, cells, strict=True)
        printed.add_row(*(Text(text, "bold" if cell.bold else "") for text, cell in pairs))
    return printed


def print_report(report: Report) -> None:
    """Print the tables, the jobs without numbers, and the files to open."""
    console = Console()
    if not console.is_terminal:  # a pipe or a log file has no width
        console = Console(width=180)
    for table in report.tables:
        console.print(_printed(table))
        for sentence in table.verdict:
            console.print(sentence, highlight=False, markup=False)
    for job in report.missing:
        console.print(f"{job.folder}: {job.reason}", soft_wrap=True, highlight=False, markup=False)
    for name in ("table.md", "report.html"):
        console.print(f"{report.folder / name}", soft_wrap=True, highlight=False, markup=False)
