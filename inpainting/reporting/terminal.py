"""A summary of a report for the terminal."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from inpainting.reporting.build import Report
from inpainting.reporting.tables import Table


def _printed(table: Table) -> RichTable:
    """Return the columns that a terminal has room for."""
    shown = [i for i, name in enumerate(table.header) if name in table.brief]
    printed = RichTable(title=Text(table.title), title_justify="left")
    for i in shown:
        justify = "right" if i else "left"
        printed.add_column(Text(table.header[i]), justify=justify)
    for line in table.lines:
        cells = [line[i] for i in shown]
        printed.add_row(*(Text(cell.text, "bold" if cell.bold else "") for cell in cells))
    return printed


def print_report(report: Report) -> None:
    """Print the tables, the jobs without numbers, and the files to open."""
    console = Console()
    if not console.is_terminal:  # a pipe or a log file has no width
        console = Console(width=180)
    for table in report.tables:
        console.print(_printed(table))
    for job in report.missing:
        console.print(f"{job.folder}: {job.reason}", soft_wrap=True, highlight=False, markup=False)
    for name in ("table.md", "report.html"):
        console.print(f"{report.folder / name}", soft_wrap=True, highlight=False, markup=False)
