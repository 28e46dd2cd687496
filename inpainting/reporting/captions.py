"""What a table's numbers are, in sentences: conditions, intervals, what differs between rows."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from inpainting.reporting.human import Panel
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Conditions, Missing

BOLD_RULE = (
    "Bold is the best {of} where its advantage over every other one is certain: the paired 95 % "
    "interval over the images excludes zero and, between settings of two seeds or more, so does "
    "Welch's over the seeds."
)
# Facts that do not make two numbers incomparable, but that a reader should know to differ.
WATCHED = ("commit", "device", "precision", "eval_mask_seed", "python")


def conditions_note(rows: Sequence[Row]) -> str:
    """What the numbers are means of, and what measured them."""
    first = rows[0].runs[0]
    key, details = first.conditions, first.details
    text = f"Means over {key.n} images"
    if details.get("n_without_hole"):
        text += f" ({details['n_without_hole']} without a hole are left out of the hole's columns)"
    side = f" of {details['image_size']} px" if "image_size" in details else ""
    return (
        f"{text}{side} from {_names(run.data for row in rows for run in row.runs)}; holes "
        f"{details.get('mask', '')}, drawn from seed {details.get('eval_mask_seed')}, hash of holes "
        f"and images {key.mask_hash}. Measured with {key.measured_with}."
    )


def apart_note(key: Conditions, alike: Sequence[Conditions]) -> str:
    """Why tables of the same holes and images are not one."""
    if not alike:
        return ""
    here = [one for one in key.metrics if any(one not in other.metrics for other in alike)]
    text = "The same holes and images, measured otherwise, have a table of their own"
    return f"{text}; only here: {', '.join(here)}." if here else f"{text}."


def seeds_note(rows: Sequence[Row]) -> str:
    """Whether ± is there, and what a single seed cannot say."""
    trained = [row for row in rows if row.trained]
    counts = {len(row.runs) for row in trained}
    if counts and max(counts) > 1:
        text = "± is the standard deviation over seeds of the means over the images."
        alone = [row.label for row in trained if len(row.runs) == 1]
        return text + (f" One seed only: {_names(alone)}." if alone else "")
    if counts:
        return "One seed a setting: nothing here covers the chance of training."
    return ""


def differences_note(rows: Sequence[Row], compared: Sequence[str]) -> str:
    """What brackets cover."""
    if not compared or not any(row.base for row in rows):
        return ""
    return (
        "Differences are setting minus base on the same images with the same holes, averaged "
        "over seeds first; brackets are paired 95 % intervals over the images, so they cover "
        "the choice of images and not the chance of training."
    )


def base_notes(rows: Sequence[Row]) -> list[str]:
    """Rows whose base is not in the table."""
    found = []
    for row in rows:
        name = row.runs[0].compared_with
        if row.base is None and name not in (None, row.runs[0].row):
            found.append(f"{row.label} is to be compared with {name}, which is not in this table.")
    return found


def watched_note(rows: Sequence[Row]) -> str:
    """Versions and circumstances that are not the same for all rows."""
    runs = [run for row in rows for run in row.runs]
    packages = sorted({name for run in runs for name in run.details.get("versions", {})})
    seen = {name: {str(run.details.get(name)) for run in runs} for name in WATCHED}
    seen["commit"] = {re.sub(r"(?<=^[0-9a-f]{10})[0-9a-f]+", "", one) for one in seen["commit"]}
    for name in packages:
        seen[name] = {str(run.details.get("versions", {}).get(name)) for run in runs}
    differ = [f"{name} ({_names(sorted(one))})" for name, one in seen.items() if len(one) > 1]
    return f"Not the same for all rows: {', '.join(differ)}." if differ else ""


def folder_note(rows: Sequence[Row]) -> str:
    """Where rows come from that have one name, one setting and one seed."""
    found = [f"{row.label} is {row.runs[0].folder}" for row in rows if row.repeated]
    return f"{'; '.join(found)}." if found else ""


def human_notes(panel: Panel) -> list[str]:
    """How people scored and agreed, and which of their scores are left out."""
    if not panel:
        return panel.notes()
    rho, apart, common = panel.agreement()
    text = (
        "Human columns: scores from 1 to 10, mean over images, then over scorers; average is of "
        "local and global; agreement is Spearman's coefficient of two scorers' averages over the "
        "images of a setting that both scored."
    )
    if common:
        text += f" On all {common} images that two scored, they are {apart:.2f} points apart"
        text += "." if np.isnan(rho) else f" and agree with a coefficient of {rho:.2f}."
    return [text, *panel.notes()]


def missing_note(rows: Sequence[Row], missing: Sequence[Missing]) -> str:
    """Jobs of the same sweeps that have no numbers."""
    places = {run.folder.parent for row in rows for run in row.runs}
    found = [job.folder.name for job in missing if job.folder.parent in places]
    return f"Without numbers, failed or not finished: {_names(found)}." if found else ""


def table_notes(
    rows: Sequence[Row], compared: Sequence[str], panel: Panel, missing: Sequence[Missing]
) -> list[str]:
    """The whole caption of a table of settings."""
    floors = [row.label for row in rows if not row.trained]
    notes = [conditions_note(rows), seeds_note(rows), differences_note(rows, compared)]
    notes.append(BOLD_RULE.format(of="setting"))
    if floors and len(floors) < len(rows):
        notes.append(f"Without training, as a floor and out of that contest: {_names(floors)}.")
    notes += [
        missing_note(rows, missing),
        *base_notes(rows),
        *human_notes(panel),
        folder_note(rows),
        watched_note(rows),
    ]
    return [note for note in notes if note]


def losses_caption(left_out: Mapping[str, Sequence[str]]) -> str:
    """What the lines of loss curves are.

    Args:
        left_out: losses without a line, to the rows
    """
    text = (
        "Losses that are logged together make a phase; a line for each run, in the colour of its "
        "setting. A mean over a change of phase is left out where some run of the table logs these "
        "phases apart; but where a phase only adds a loss to the one before, its first mean may "
        "include some of that one."
    )
    missing = [f"{loss} loss of {_names(labels)}" for loss, labels in left_out.items()]
    if missing:
        text += f" Every mean is over such a change, so there is no line: {'; '.join(missing)}."
    return text


def _names(names: object) -> str:
    return ", ".join(dict.fromkeys(str(name) for name in names))
