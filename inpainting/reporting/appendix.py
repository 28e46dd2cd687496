"""Tables beside those of settings: tracking by validation loss, scorers, and missing jobs."""

from collections.abc import Sequence

from inpainting.metrics.columns import MINUS, rounded
from inpainting.reporting.cells import EMPTY, Cell, p_value
from inpainting.reporting.correlation import Tracking, tracking
from inpainting.reporting.human import Panel
from inpainting.reporting.rows import Row
from inpainting.reporting.tables import Table, tabled_columns, title_of
from inpainting.runs.measured import Missing


def tracking_table(rows: Sequence[Row], panel: Panel) -> Table | None:
    """Return rank correlations of validation loss with every test metric; None without logs."""
    settings = [row for row in rows if row.trained]

    def human(row: Row) -> float:
        judged = panel.of(row)
        return judged.average if judged else float("nan")

    found = tracking(settings, tabled_columns(settings), human)
    if not found:
        return None
    header = ["measure", "tracked if", "over runs", "p", "runs", "over epochs", "logs"]
    notes = [
        "Spearman's rank correlation with val/loss. Over runs, val/loss of the tested epoch is "
        "compared with the measure on the test images; for the human average, the means of the "
        "settings are compared. Over epochs, val/loss is compared with the same measure on the "
        "validation images within a run, and the coefficients are averaged over runs. For a loss "
        "that tracks quality the correlation is near the number under “tracked if”; near 0 the "
        "loss says nothing about quality. Runs of one setting are not independent, so p is only a "
        "rough guide."
    ]
    return Table(
        f"Does validation loss track quality? {title_of(rows)}",
        header,
        [_tracking_line(tracked) for tracked in found],
        notes,
    )


def _tracking_line(tracked: Tracking) -> list[Cell]:
    texts = [
        tracked.measure,
        "+1" if tracked.direction == "min" else f"{MINUS}1",
        rounded(tracked.over_runs, 2, signed=True),
        p_value(tracked.p_value),
        str(tracked.runs),
        rounded(tracked.over_epochs, 2, signed=True),
        str(tracked.logs) if tracked.logs else EMPTY,
    ]
    return [Cell(text) for text in texts]


def scorers_table(panel: Panel) -> Table | None:
    """Return how each scorer judged targets and duplicates; None if there are no scores."""
    if not panel:
        return None
    lines = []
    for checked in panel.checks():
        texts = [checked.scorer, str(checked.number), str(checked.targets), *_pair(checked.target)]
        texts += [str(checked.repeats), *_pair(checked.repeat)]
        lines.append([Cell(text) for text in texts])
    header = ["scorer", "completions", "targets", "their local", "their global"]
    header += ["duplicates", "local apart", "global apart"]
    notes = [
        "Targets are true images mixed in, which an attentive scorer rates high. Duplicates are "
        "completions shown a second time; “apart” is the mean distance between the two scores, in "
        "points."
    ]
    return Table("Scorers", header, lines, notes)


def _pair(values: tuple[float, float]) -> list[str]:
    return [rounded(value, 2) for value in values]


def missing_table(missing: Sequence[Missing]) -> Table | None:
    """Return the jobs without numbers and the reasons; None if every job has numbers."""
    if not missing:
        return None
    lines = [[Cell(f"{job.folder}"), Cell(job.row), Cell(job.reason)] for job in missing]
    return Table("Jobs without numbers", ["folder", "setting", "reason"], lines)
