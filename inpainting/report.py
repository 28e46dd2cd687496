"""Write the tables and the HTML page of a sweep, or of any runs and evaluations.

python -m inpainting.report outputs/sweeps/glcic_table
python -m inpainting.report outputs/glcic outputs/evaluate metric=psnr_hole,lpips out=outputs/board
"""

from dataclasses import dataclass
from pathlib import Path

from inpainting import words
from inpainting.errors import exits_with_one_sentence
from inpainting.words import option

WRITTEN = "\nThe command writes table.md, table.csv, table.tex, report.html and images/."


@dataclass
class ReportOptions:
    """The options of the command, typed as key=value."""

    metric: str | None = option(
        None, "metrics whose difference from the base row is shown; default: the first two"
    )
    base: str | None = option(None, "row to compare with; default: the compared_with of each run")
    out: str | None = option(
        None, "folder to write to; default: the FOLDER, or outputs/report for several"
    )


def parse(arguments: list[str] | None = None) -> tuple[list[str], ReportOptions]:
    """Parse a command line into folders and options; see `words.parse`."""
    return words.parse("inpainting.report", __doc__ + WRITTEN, ReportOptions, arguments)


def default_out(folders: list[str]) -> Path:
    """Return the folder of a report whose `out` was not typed: where a user would look first."""
    if len(folders) > 1:
        return Path("outputs") / "report"
    only = Path(folders[0])
    return only / "report" if (only / "metrics.json").is_file() else only


@exits_with_one_sentence
def main() -> None:
    """Write a report, and print its path and a short version of its table."""
    folders, options = parse()
    # Imported here so that --help does not load torch and matplotlib.
    from inpainting.reporting.build import report
    from inpainting.reporting.terminal import print_report

    out = Path(options.out) if options.out else default_out(folders)
    print_report(
        report(folders, out, options.metric.split(",") if options.metric else (), options.base)
    )


if __name__ == "__main__":
    main()
