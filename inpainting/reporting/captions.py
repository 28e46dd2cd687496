"""Sentences that explain a table's numbers: conditions, intervals, differences between rows."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from inpainting.metrics.columns import Column
from inpainting.reporting.findings import Findings
from inpainting.reporting.human import Panel
from inpainting.reporting.intervals import crosses_seeds
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Conditions, Missing

BOLD_RULE = (
    "Bold is the best setting where its advantage over every other one is certain: the 95 % "
    "intervals of these differences, corrected for their number, exclude zero. They cover other "
    "seeds and images where both settings have two seeds or more, and otherwise images alone."
)
# Runs that differ in these facts can still be compared, but the reader should know.
WATCHED = ("commit", "device", "precision", "eval_mask_seed", "python")


def table_notes(findings: Findings, conditions: Conditions) -> list[str]:
    """Return the sentences of the caption of a table of settings."""
    rows = findings.tables[conditions]
    notes = [
        conditions_note(rows),
        seeds_note(rows),
        differences_note(rows, findings.metrics),
        BOLD_RULE,
        floors_note(rows),
        missing_note(rows, findings.missing),
        *base_notes(rows),
        *human_notes(findings.panel),
        folder_note(rows),
        watched_note(rows),
        apart_note(conditions, findings.on_same_holes(conditions)),
    ]
    return [note for note in notes if note]


def conditions_note(rows: Sequence[Row]) -> str:
    """Say what the numbers are means over, and what measured them."""
    first = rows[0].runs[0]
    conditions, details = first.conditions, first.details
    side = f" of {details['image_size']} px" if "image_size" in details else ""
    data = _names(run.data for row in rows for run in row.runs)
    without_hole = details.get("n_without_hole")
    skipped = (
        f" Images without a hole ({without_hole}) are left out of the columns of the hole."
        if without_hole
        else ""
    )
    return (
        f"Numbers are means over {conditions.n} images{side} from {data}, measured with "
        f"{conditions.measured_with}.{skipped} The holes are {details.get('mask', '')}, drawn from "
        f"seed {details.get('eval_mask_seed')}; the hash of holes and images is "
        f"{conditions.mask_hash}."
    )


def seeds_note(rows: Sequence[Row]) -> str:
    """Explain ±, or say what a single seed cannot show."""
    trained = [row for row in rows if row.trained]
    counts = {len(row.runs) for row in trained}
    if counts and max(counts) > 1:
        single = [row.label for row in trained if len(row.runs) == 1]
        text = "± is the standard deviation over seeds of the means over the images."
        return text + (f" These settings have only one seed: {_names(single)}." if single else "")
    if counts:
        return (
            "Every setting has one seed, so the table says nothing about the randomness of "
            "training."
        )
    return ""


def differences_note(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Explain the differences to the base and what their brackets cover."""
    if not metrics or not any(row.base for row in rows):
        return ""
    compared = [row for row in rows if row.base]
    number = len(compared)
    text = "Differences are setting minus base on the same images with the same holes; brackets "
    text += "are 95 % intervals"
    if number > 1:
        text += f", corrected for {number} comparisons, so that all of a column hold together"
    alone = [row.label for row in compared if not crosses_seeds(row, row.base)]
    if not alone:
        return f"{text}. They cover other seeds of training and other images."
    if len(alone) == number:
        return (
            f"{text}. They cover other images alone: with one seed nobody knows whether another "
            "training would differ."
        )
    return (
        f"{text}. They cover other seeds of training and other images; those of {_names(alone)} "
        "cover other images alone, as one seed does not show whether another training would differ."
    )


def floors_note(rows: Sequence[Row]) -> str:
    """Name the methods without training, if the table has trained ones too."""
    floors = [row.label for row in rows if not row.trained]
    if not floors or len(floors) == len(rows):
        return ""
    return (
        "Methods without training are a floor and do not compete for bold in this table: "
        f"{_names(floors)}."
    )


def missing_note(rows: Sequence[Row], missing: Sequence[Missing]) -> str:
    """Name the jobs of the same sweeps that have no numbers."""
    sweeps = {run.folder.parent for row in rows for run in row.runs}
    jobs = [job.folder.name for job in missing if job.folder.parent in sweeps]
    if not jobs:
        return ""
    return f"These jobs have no numbers because they failed or have not finished: {_names(jobs)}."


def base_notes(rows: Sequence[Row]) -> list[str]:
    """Name the rows whose base is not in the table."""
    found = []
    for row in rows:
        name = row.runs[0].compared_with
        names = {one for other in rows for one in (other.label, other.runs[0].row)}
        if row.base is None and name is not None and name not in names:
            found.append(f"{row.label} is to be compared with {name}, which is not in this table.")
    return found


def human_notes(panel: Panel) -> list[str]:
    """Explain the human columns, how far people agreed, and which scores are left out."""
    if not panel:
        return panel.notes()
    text = (
        "Human columns are scores from 1 to 10, averaged over images and then over scorers; the "
        "average is that of local and global; the agreement is Krippendorff's alpha of these "
        "averages, 1 where all scorers agree and 0 where they agree as by chance."
    )
    alpha, apart, common = panel.agreement()
    if common:
        text += f" On images that two people both scored ({common}, summed over pairs of people), "
        text += f"their averages are {apart:.2f} points apart"
        text += "." if np.isnan(alpha) else f", and Krippendorff's alpha is {alpha:.2f}."
    return [text, *panel.notes()]


def folder_note(rows: Sequence[Row]) -> str:
    """Give the folders of rows that share their name, setting and seed."""
    found = [f"{row.label} is {row.runs[0].folder}" for row in rows if row.repeated]
    if not found:
        return ""
    return f"Rows with the same name, setting and seed are numbered: {'; '.join(found)}."


def watched_note(rows: Sequence[Row]) -> str:
    """Name the versions and circumstances that are not the same for all runs of the table."""
    runs = [run for row in rows for run in row.runs]
    packages = sorted({name for run in runs for name in run.details.get("versions", {})})
    seen = {name: {str(run.details.get(name)) for run in runs} for name in WATCHED}
    seen["commit"] = {_short_commit(commit) for commit in seen["commit"]}
    for name in packages:
        seen[name] = {str(run.details.get("versions", {}).get(name)) for run in runs}
    differ = [
        f"{name} ({_names(sorted(values))})" for name, values in seen.items() if len(values) > 1
    ]
    return f"Runs of this table differ in {', '.join(differ)}." if differ else ""


def _short_commit(commit: str) -> str:
    return re.sub(r"(?<=^[0-9a-f]{10})[0-9a-f]+", "", commit)


def apart_note(conditions: Conditions, same_holes: Sequence[Conditions]) -> str:
    """Explain why tables on the same holes and images are separate.

    Args:
        conditions: those of the table
        same_holes: those of all tables on its holes and images
    """
    others = [other for other in same_holes if other != conditions]
    if not others:
        return ""
    note = "Numbers on the same holes and images that were measured differently are in other tables"
    own = [
        metric
        for metric in conditions.metrics
        if any(metric not in other.metrics for other in others)
    ]
    return f"{note}; only this one has {', '.join(own)}." if own else f"{note}."


def losses_caption(left_out: Mapping[str, Sequence[str]]) -> str:
    """Explain the lines of the loss curves.

    Args:
        left_out: losses without a line, to the labels of their rows
    """
    text = (
        "Losses that are logged together belong to one phase. Each run has a line, in the colour "
        "of its setting. A logged mean that covers a change of phase is left out if some run of "
        "the table logs the two phases separately; where a phase only adds a loss to the previous "
        "phase, its first mean may include steps of that previous phase."
    )
    missing = [f"{loss} loss of {_names(labels)}" for loss, labels in left_out.items()]
    if missing:
        text += f" Every mean covers such a change, so there is no line: {'; '.join(missing)}."
    return text


def grid_caption(rows: Sequence[Row], columns: Sequence[Column], left_out: Sequence[str]) -> str:
    """Explain the grid of test images.

    Args:
        rows: all rows of the table
        columns: whose numbers stand below the completions
        left_out: labels of the rows that the grid does not show
    """
    text = "The first test images, their holes and every row's completions"
    text += ", from its first seed." if any(len(row.runs) > 1 for row in rows) else "."
    single = [column.heading for column in columns if column.scope != "set"]
    if single:
        text += f" Below each stands its own {' and '.join(single)}."
    if left_out:
        text += f" Rows without these images are left out: {', '.join(left_out)}."
    return text


def _names(names: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(name) for name in names))
