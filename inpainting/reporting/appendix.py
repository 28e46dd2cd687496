"""Tables after the settings': does validation loss track quality, who scored how, what failed."""

from collections.abc import Sequence

import numpy as np

from inpainting.reporting.cells import EMPTY, Cell
from inpainting.reporting.correlation import Tracking, tracking
from inpainting.reporting.human import Panel
from inpainting.reporting.rows import Row
from inpainting.reporting.tables import Table, tabled_columns, title_of
from inpainting.runs.measured import Missing


def tracking_table(rows: Sequence[Row], panel: Panel) -> Table | None:
    """Rank correlation of validation loss with every test metric; None without logs."""
    settings = [row for row in rows if row.trained]

    def human(row: Row) -> float:
        judged = panel.of(row)
        return judged.average if judged else float("nan")

    found = tracking(settings, tabled_columns(settings), human)
    if not found:
        return None
    header = ["measure", "tracked if", "over runs", "p", "runs", "over epochs", "logs"]
    notes = [
        "Spearman's rank correlation with val/loss: over runs, of the epoch that was tested, with "
        "the test's number (for the human average, means of the settings); over epochs, with the "
        "same measure on the validation images within a run, mean over runs. A loss that tracks "
        "quality is near the sign under “tracked if”; near 0 it says nothing. Runs of one setting "
        "are not independent, so p is a rough guide."
    ]
    return Table(
        f"Does validation loss track quality? {title_of(rows)}",
        header,
        [_tracking_line(one) for one in found],
        notes,
    )


def _tracking_line(one: Tracking) -> list[Cell]:
    texts = [one.measure, "+1" if one.direction == "min" else "-1", _signed(one.over_runs)]
    texts += [EMPTY if np.isnan(one.p_value) else f"{one.p_value:.3f}", str(one.runs)]
    texts += [_signed(one.over_epochs), str(one.logs) if one.logs else EMPTY]
    return [Cell(text) for text in texts]


def _signed(value: float) -> str:
    return EMPTY if np.isnan(value) else f"{value:+.2f}"


def scorers_table(panel: Panel) -> Table | None:
    """Each scorer's targets and duplicates; None where nobody scored."""
    if not panel:
        return None
    lines = []
    for one in panel.checks():
        texts = [one.scorer, str(one.number), str(one.targets), *_pair(one.target)]
        texts += [str(one.repeats), *_pair(one.repeat)]
        lines.append([Cell(text) for text in texts])
    header = ["scorer", "completions", "targets", "their local", "their global"]
    header += ["duplicates", "local apart", "global apart"]
    notes = [
        "Targets are true images mixed in, which a scorer who looks puts high; duplicates are "
        "completions shown a second time, scored so many points apart."
    ]
    return Table("Scorers", header, lines, notes)


def _pair(values: tuple[float, float]) -> list[str]:
    return [EMPTY if np.isnan(value) else f"{value:.2f}" for value in values]


def missing_table(missing: Sequence[Missing]) -> Table | None:
    """Jobs without numbers, by name; None where all have them."""
    if not missing:
        return None
    lines = [[Cell(f"{job.folder}"), Cell(job.row), Cell(job.reason)] for job in missing]
    return Table("Jobs without numbers", ["folder", "setting", "reason"], lines)
