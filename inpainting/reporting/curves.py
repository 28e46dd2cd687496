"""Loss curves of the trainings of a table, by phase."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inpainting.reporting.logs import Log, Together, logged_together, never_alone, phases, read_log
from inpainting.reporting.panels import colours, legend_below, panels
from inpainting.reporting.rows import Row

FEW = 5  # a line of fewer points marks each of them, since a single point draws no line
VALIDATION = ("val/loss", "val/psnr_hole", "val/ssim_hole")


def loss_curves(rows: Sequence[Row], path: Path) -> bool:
    """Draw a panel for each loss of each phase and for validation, with a line for each run.

    The horizontal axes count batches.

    Returns:
        False if there was nothing to draw, so that no file was written
    """
    curves: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {}
    logs = _logs(rows)
    known = logged_together(log for _, log in logs)
    for i, log in logs:
        for title, x, y in _curves(log, known):
            curves.setdefault(title, []).append((i, x, y))
    if not curves:
        return False
    figure, axes = panels(len(curves), 2.6, columns=3, share=True)
    colour = colours(rows)
    titles = sorted(curves, key=lambda title: title.startswith("validation"))
    for axis, title in zip(axes, titles, strict=True):
        for i, x, y in curves[title]:
            marker = "." if len(x) < FEW else None
            axis.plot(x, y, color=colour[i], linewidth=1.2, alpha=0.85, marker=marker)
        if "loss" in title and all((y > 0).all() for *_, y in curves[title]):
            axis.set_yscale("log")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("batches", fontsize=8)
    drawn = sorted({i for lines in curves.values() for i, *_ in lines})
    handles = [axes[0].plot([], [], color=colour[i], linewidth=2)[0] for i in drawn]
    legend_below(figure, handles, [rows[i].label for i in drawn])
    figure.savefig(path)
    return True


def losses_left_out(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the losses for which `loss_curves` draws no line, with the labels of their rows."""
    found: dict[str, dict[str, None]] = {}
    logs = _logs(rows)
    known = logged_together(log for _, log in logs)
    for i, log in logs:
        for name in never_alone(log, known):
            found.setdefault(_short(name), {})[rows[i].label] = None
    return {name: list(labels) for name, labels in found.items()}


def _logs(rows: Sequence[Row]) -> list[tuple[int, Log]]:
    """Return the log of each training once, with the index of its row."""
    trainings = {run.trained_in: i for i, row in enumerate(rows) for run in row.runs}
    return [(i, read_log(folder)) for folder, i in trainings.items() if folder]


def _short(loss: str) -> str:
    return loss.removeprefix("train/").removeprefix("loss_")


def _curves(log: Log, known: set[Together]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return the title, batches and values of every curve of a training."""
    found = []
    together = phases(log, known)
    # Counted before mixtures are dropped: they too show that the training has several phases.
    phased = len(logged_together([log])) > 1
    for names, lines in together.items():
        short = {name: _short(name) for name in names}
        for name, loss in short.items():
            # A phase is named by its losses, not numbered: where a phase is too short to have a
            # line of its own, the next one would take its number.
            others = [other for other in short.values() if other != loss]
            phase = f", with {' and '.join(others)}" if others else " alone"
            title = f"{loss} loss{phase}" if phased else f"training: {loss}"
            found.append((title, log["step"][lines] + 1, log[name][lines]))
    for name in (name for name in VALIDATION if name in log):
        logged = ~np.isnan(log[name])
        title = name.replace("val/", "validation: ").replace("_", " ")
        found.append((title, log["step"][logged] + 1, log[name][logged]))
    return found
