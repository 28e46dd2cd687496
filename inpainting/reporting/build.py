"""A whole report: tables, figures, images and the page, into one folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inpainting.errors import InputError
from inpainting.metrics.columns import leading
from inpainting.reporting import appendix
from inpainting.reporting.captions import apart_note, losses_caption, table_notes
from inpainting.reporting.curves import loss_curves, losses_left_out
from inpainting.reporting.figures import metric_by_calls, metric_by_setting
from inpainting.reporting.formats import as_latex, as_markdown, write_csv
from inpainting.reporting.human import Panel
from inpainting.reporting.leaderboard import leaderboard
from inpainting.reporting.page import Drawing, Section, write_page
from inpainting.reporting.rows import Row, tables_of_rows
from inpainting.reporting.side_by_side import side_by_side
from inpainting.reporting.tables import Table, settings_table, tabled_columns
from inpainting.runs.collect import collect
from inpainting.runs.measured import Conditions, Missing

DRAWN = 6  # metrics at most that are drawn: those compared, then the others of the brief tables


@dataclass(frozen=True)
class Report:
    """What was written.

    Args:
        folder: where
        tables: one for each set of conditions
        missing: jobs without numbers
    """

    folder: Path
    tables: list[Table]
    missing: list[Missing]


def report(
    folders: Sequence[str],
    out: Path,
    metrics: Sequence[str] = (),
    base: str | None = None,
) -> Report:
    """Write table.md, table.csv, table.tex, report.html and images/ into `out`.

    Args:
        folders: of runs, or holding them
        out: made if need be; what an earlier report wrote there is replaced
        metrics: whose differences to the base row are given; none: the two that lead the tables
        base: row that all others are compared with, in place of what the runs say

    Raises:
        InputError: nothing to report on, an unknown metric or base, a file that cannot be read.
    """
    measured, missing = collect(folders)
    if not measured:
        reasons = "; ".join(f"{job.folder}: {job.reason}" for job in missing[:3])
        raise InputError(f"{' '.join(folders)}: no job has finished ({reasons})")
    rows = tables_of_rows(measured, base)
    known = {one.name: one for one in tabled_columns([r for table in rows.values() for r in table])}
    unknown = [metric for metric in metrics if metric not in known]
    if unknown:
        raise InputError(f"metric={','.join(unknown)}: not measured; there are {', '.join(known)}")
    metrics = metrics or [one.name for one in leading(known)]
    places = [run.folder for run in measured]
    panel = Panel([*map(Path, folders), *places, *(place.parent for place in places)])
    (out / "images").mkdir(parents=True, exist_ok=True)
    sections = [
        _section(key, table, metrics, panel, missing, out / "images", list(rows))
        for key, table in rows.items()
    ]
    words = [*folders, f"metric={','.join(metrics)}", *([f"base={base}"] if base else [])]
    _write(out, words, rows, sections, metrics, panel, missing)
    return Report(out, [section.table for section in sections], missing)


def _section(
    key: Conditions,
    rows: Sequence[Row],
    metrics: Sequence[str],
    panel: Panel,
    missing: Sequence[Missing],
    folder: Path,
    keys: Sequence[Conditions],
) -> Section:
    table = settings_table(rows, metrics, panel, missing)
    same_holes = [one for one in keys if one.mask_hash == key.mask_hash]
    note = apart_note(key, [one for one in same_holes if one != key])
    table.notes = [*table_notes(rows, metrics, panel, missing), *([note] if note else [])]
    suffix = ""
    if len(keys) > 1:
        number = f"{same_holes.index(key) + 1}" if len(same_holes) > 1 else ""
        table.title += f" (hash {key.mask_hash}{number and f', measurement {number}'})"
        suffix = f"_{key.mask_hash}{number and f'_{number}'}"
    figures = _figures(rows, metrics, folder, suffix)
    return Section(table, figures, appendix.tracking_table(rows, panel))


def _figures(
    rows: Sequence[Row], metrics: Sequence[str], folder: Path, suffix: str
) -> list[Drawing]:
    """What can be drawn of a table."""
    found = []
    images, left_out = side_by_side(rows)
    if images is not None:
        caption = "The first test images, their holes and every row's completion"
        caption += ", of its first seed." if any(len(row.runs) > 1 for row in rows) else "."
        if left_out:
            caption += f" Without images of these: {', '.join(left_out)}."
        path = folder / f"rows{suffix}.png"
        images.save(path)
        found.append(Drawing("The same images through every row", caption, path))
    compared = [one for one in tabled_columns(rows) if one.name in metrics]
    others = [one for one in tabled_columns(rows) if one.brief and one not in compared]
    drawn = [*compared, *others][:DRAWN]
    path = folder / f"metrics{suffix}.png"
    metric_by_setting(rows, drawn, compared, path)
    caption = (
        "Dots are seeds, diamonds their mean, bars their standard deviation; of the differences to "
        "the base, bars are the paired 95 % intervals over the images."
    )
    found.append(Drawing("Metric against setting", caption, path))
    path = folder / f"calls{suffix}.png"
    if metric_by_calls(rows, drawn, path):
        caption = "Bars are the standard deviation over seeds, of training and of the completions."
        found.append(Drawing("Metric against network calls", caption, path))
    path = folder / f"losses{suffix}.png"
    if loss_curves(rows, path):
        caption = losses_caption(losses_left_out(rows))
        found.append(Drawing("Losses by phase", caption, path))
    return found


def _write(
    out: Path,
    words: Sequence[str],
    rows: Mapping[Conditions, Sequence[Row]],
    sections: Sequence[Section],
    metrics: Sequence[str],
    panel: Panel,
    missing: Sequence[Missing],
) -> None:
    after = [leaderboard(rows, metrics), appendix.scorers_table(panel)]
    after = [table for table in (*after, appendix.missing_table(missing)) if table]
    tables = [table for section in sections for table in (section.table, section.tracking) if table]
    (out / "table.md").write_text("\n".join(as_markdown(one) for one in (*tables, *after)))
    (out / "table.tex").write_text(
        "% needs \\usepackage{booktabs,graphicx}\n"
        + "\n".join(as_latex(one) for one in (*tables, *after))
    )
    write_csv(out / "table.csv", rows, panel, missing)
    source = f"Made by python -m inpainting.report {' '.join(words)}"
    write_page(out / "report.html", f"Report: {words[0]}", source, sections, after)
