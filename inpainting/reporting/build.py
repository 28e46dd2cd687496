"""Write a whole report, that is tables, figures and the page, into one folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpainting.errors import InputError
from inpainting.metrics.columns import Column, leading
from inpainting.reporting import appendix
from inpainting.reporting.captions import grid_caption, losses_caption, table_notes
from inpainting.reporting.curves import loss_curves, losses_left_out
from inpainting.reporting.figures import metric_by_calls, metric_by_setting
from inpainting.reporting.findings import Findings
from inpainting.reporting.formats import as_latex, as_markdown, write_csv
from inpainting.reporting.human import Panel
from inpainting.reporting.leaderboard import leaderboard
from inpainting.reporting.page import Drawing, Section, write_page
from inpainting.reporting.rows import Row, tables_of_rows
from inpainting.reporting.side_by_side import side_by_side
from inpainting.reporting.tables import Table, settings_table, tabled_columns
from inpainting.runs.collect import collect
from inpainting.runs.measured import Conditions, Missing

DRAWN = 6  # most metrics in a figure: the compared ones first, then the others of the brief tables


@dataclass(frozen=True)
class Report:
    """A written report.

    Args:
        folder: the folder it was written to
        tables: one table of settings for each set of conditions
        missing: the jobs without numbers
    """

    folder: Path
    tables: Sequence[Table]
    missing: Sequence[Missing]


def report(
    folders: Sequence[str],
    out: Path,
    metrics: Sequence[str] = (),
    base: str | None = None,
) -> Report:
    """Write table.md, table.csv, table.tex, report.html and images/ into `out`.

    Args:
        folders: folders of runs, or folders that contain runs
        out: output folder; it is created if needed, and an earlier report in it is overwritten
        metrics: names of the metrics whose differences to the base row are shown; an empty
            sequence means the two that lead the tables
        base: label of the row that all others are compared with; None means the row that each
            run's `compared_with` names

    Raises:
        InputError: no job has finished, a metric or the base is unknown, or a file cannot be
            read.
    """
    findings = _gather(folders, metrics, base)
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    sections = [_section(findings, conditions, images) for conditions in findings.tables]
    words = [*folders, f"metric={','.join(findings.metrics)}", *([f"base={base}"] if base else [])]
    _write(out, words, findings, sections)
    return Report(out, [section.table for section in sections], findings.missing)


def _gather(folders: Sequence[str], metrics: Sequence[str], base: str | None) -> Findings:
    measured, missing = collect(folders)
    if not measured:
        reasons = "; ".join(f"{job.folder}: {job.reason}" for job in missing[:3])
        raise InputError(
            f"{' '.join(folders)}: no job has finished ({reasons}); type a folder with a finished "
            "run"
        )
    tables = tables_of_rows(measured, base)
    rows = [row for table in tables.values() for row in table]
    known = {column.name: column for column in tabled_columns(rows)}
    unknown = [metric for metric in metrics if metric not in known]
    if unknown:
        raise InputError(
            f"metric={','.join(unknown)}: not measured; type one or more of {', '.join(known)}"
        )
    metrics = metrics or [column.name for column in leading(known)]
    runs = [run.folder for run in measured]
    panel = Panel([*map(Path, folders), *runs, *(run.parent for run in runs)])
    return Findings(tables, metrics, panel, missing)


def _section(findings: Findings, conditions: Conditions, images: Path) -> Section:
    rows = findings.tables[conditions]
    table = settings_table(findings, conditions)
    table.notes = table_notes(findings, conditions)
    addition, suffix = _distinction(findings, conditions)
    table.title += addition
    figures = _figures(rows, findings.metrics, images, suffix)
    return Section(table, figures, appendix.tracking_table(rows, findings.panel))


def _distinction(findings: Findings, conditions: Conditions) -> tuple[str, str]:
    """Return what the table adds to its title and to its file names to differ from the others."""
    if len(findings.tables) == 1:
        return "", ""
    addition, suffix = f"hash {conditions.mask_hash}", f"_{conditions.mask_hash}"
    same_holes = findings.on_same_holes(conditions)
    if len(same_holes) > 1:
        number = same_holes.index(conditions) + 1
        addition, suffix = f"{addition}, measurement {number}", f"{suffix}_{number}"
    return f" ({addition})", suffix


def _figures(
    rows: Sequence[Row], metrics: Sequence[str], folder: Path, suffix: str
) -> list[Drawing]:
    """Draw every figure that a table has data for."""
    compared = [column for column in tabled_columns(rows) if column.name in metrics]
    others = [column for column in tabled_columns(rows) if column.brief and column not in compared]
    drawn = [*compared, *others][:DRAWN]
    figures = [
        _grid(rows, compared, folder / f"rows{suffix}.png"),
        _by_setting(rows, drawn, compared, folder / f"metrics{suffix}.png"),
        _by_calls(rows, drawn, folder / f"calls{suffix}.png"),
        _losses(rows, folder / f"losses{suffix}.png"),
    ]
    return [figure for figure in figures if figure is not None]


def _grid(rows: Sequence[Row], columns: Sequence[Column], path: Path) -> Drawing | None:
    grid, left_out = side_by_side(rows, columns)
    if grid is None:
        return None
    grid.save(path)
    return Drawing(
        "The same test images completed by every row", grid_caption(rows, columns, left_out), path
    )


def _by_setting(
    rows: Sequence[Row], drawn: Sequence[Column], compared: Sequence[Column], path: Path
) -> Drawing:
    metric_by_setting(rows, drawn, compared, path)
    caption = (
        "Dots are seeds, diamonds their means and bars their standard deviations. In the panels of "
        "differences to the base, bars are the intervals of the table."
    )
    return Drawing("Metric against setting", caption, path)


def _by_calls(rows: Sequence[Row], drawn: Sequence[Column], path: Path) -> Drawing | None:
    if not metric_by_calls(rows, drawn, path):
        return None
    caption = "Bars are standard deviations over the seeds of training and of the completions."
    return Drawing("Metric against network calls", caption, path)


def _losses(rows: Sequence[Row], path: Path) -> Drawing | None:
    if not loss_curves(rows, path):
        return None
    return Drawing("Losses by phase", losses_caption(losses_left_out(rows)), path)


def _title(words: Sequence[str]) -> str:
    """Return what is reported on: the names of the folders."""
    names = [Path(word).resolve().name for word in words if Path(word).is_dir()]
    return f"Report: {', '.join(names)}"


def _write(
    out: Path, words: Sequence[str], findings: Findings, sections: Sequence[Section]
) -> None:
    closing = [
        leaderboard(findings),
        appendix.scorers_table(findings.panel),
        appendix.missing_table(findings.missing),
    ]
    closing = [table for table in closing if table]
    tables = [table for section in sections for table in (section.table, section.tracking) if table]
    tables += closing
    (out / "table.md").write_text("\n".join(as_markdown(table) for table in tables))
    (out / "table.tex").write_text(
        "% needs \\usepackage{booktabs,adjustbox}\n"
        + "\n".join(as_latex(table) for table in tables)
    )
    write_csv(out / "table.csv", findings)
    source = f"Written by python -m inpainting.report {' '.join(words)}"
    write_page(out / "report.html", _title(words), source, sections, closing)
