"""Tables and a page of a sweep, or of any runs and evaluations.

python -m inpainting.report outputs/sweeps/glcic_table
python -m inpainting.report outputs/glcic outputs/evaluate metric=psnr_hole,lpips out=outputs/board
"""

from dataclasses import dataclass
from pathlib import Path

from inpainting import words
from inpainting.errors import exits_with_one_sentence
from inpainting.words import option

WRITTEN = "\nWrites table.md, table.csv, table.tex, report.html and images/."


@dataclass
class ReportOptions:
    """What can be typed as key=value."""

    metric: str | None = option(
        None, "whose difference to the base row is given; else the first two"
    )
    base: str | None = option(None, "row to compare with; else what each run's compared_with says")
    out: str | None = option(None, "folder to write to; else the one given, or outputs/report")


def parse(arguments: list[str] | None = None) -> tuple[list[str], ReportOptions]:
    """Folders and options of a command line; see `words.parse`."""
    return words.parse("inpainting.report", __doc__ + WRITTEN, ReportOptions, arguments)


def default_out(folders: list[str]) -> Path:
    """Where a report is looked for first."""
    if len(folders) > 1:
        return Path("outputs") / "report"
    only = Path(folders[0])
    return only / "report" if (only / "metrics.json").is_file() else only


@exits_with_one_sentence
def main() -> None:
    """Write a report, print its table in short and where it is."""
    folders, options = parse()
    from inpainting.reporting.build import report  # torch and matplotlib: not for --help
    from inpainting.reporting.terminal import print_report

    out = Path(options.out) if options.out else default_out(folders)
    print_report(
        report(folders, out, options.metric.split(",") if options.metric else (), options.base)
    )


if __name__ == "__main__":
    main()
