"""Figures of a table: loss curves by phase, and each metric against the setting."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inpainting.reporting.cells import heading
from inpainting.reporting.intervals import difference
from inpainting.reporting.logs import Log, phases, read_log
from inpainting.reporting.rows import Row

VALIDATION = ("val/loss", "val/psnr_hole", "val/ssim_hole")


def _colours(rows: Sequence[Row]) -> list:
    colours = matplotlib.colormaps["tab10" if len(rows) <= 10 else "tab20"]
    return [colours(i % colours.N) for i in range(len(rows))]


def _panels(number: int, height: float, columns: int, share: bool) -> tuple[Figure, list[Axes]]:
    """A figure of its own, without pyplot's global state."""
    columns = min(number, columns)
    lines = ceil(number / columns)
    figure = Figure(figsize=(4.4 * columns, height * lines), layout="constrained", dpi=110)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=share).flatten().tolist()
    for unused in axes[number:]:
        unused.remove()
    for axis in axes[:number]:
        axis.tick_params(labelsize=8, which="both", labelbottom=True)
        axis.grid(alpha=0.25)
    return figure, axes[:number]


def loss_curves(rows: Sequence[Row], path: Path) -> bool:
    """A panel for each loss of each phase and for validation, a line for each run, by batches.

    Returns:
        whether there was anything to draw
    """
    curves: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {}
    trainings = {run.trained_in: i for i, row in enumerate(rows) for run in row.runs}
    for folder, i in trainings.items():
        for title, x, y in _curves(read_log(folder)) if folder else ():
            curves.setdefault(title, []).append((i, x, y))
    if not curves:
        return False
    figure, axes = _panels(len(curves), 2.6, columns=3, share=True)
    colours = _colours(rows)
    titles = sorted(curves, key=lambda title: title.startswith("validation"))
    for axis, title in zip(axes, titles, strict=True):
        for i, x, y in curves[title]:
            axis.plot(x, y, color=colours[i], linewidth=1.2, alpha=0.85)
        if "loss" in title and all((y > 0).all() for *_, y in curves[title]):
            axis.set_yscale("log")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("batches", fontsize=8)
    drawn = sorted({i for lines in curves.values() for i, *_ in lines})
    handles = [axes[0].plot([], [], color=colours[i], linewidth=2)[0] for i in drawn]
    labels = [rows[i].label for i in drawn]
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path)
    return True


def _curves(log: Log) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Title, batches and values of every curve of a training."""
    found = []
    together = phases(log)
    for names, lines in together.items():
        short = {name: name.removeprefix("train/").removeprefix("loss_") for name in names}
        for name, loss in short.items():
            # A phase goes by its losses, not by its number: in some trainings one is too short to
            # have a line to itself, and the next would take its place.
            others = [other for other in short.values() if other != loss]
            phase = f", with {' and '.join(others)}" if others else " alone"
            title = f"{loss} loss{phase}" if len(together) > 1 else f"training: {loss}"
            found.append((title, log["step"][lines] + 1, log[name][lines]))
    for name in (name for name in VALIDATION if name in log):
        known = ~np.isnan(log[name])
        title = name.replace("val/", "validation: ").replace("_", " ")
        found.append((title, log["step"][known] + 1, log[name][known]))
    return found


def metric_by_setting(
    rows: Sequence[Row], metrics: Sequence[str], compared: Sequence[str], path: Path
) -> None:
    """For each metric a line a setting: its seeds, their mean and deviation.

    Then, for the metrics that are compared, each setting's difference to its base.
    """
    settings = [row for row in rows if row.trained] or list(rows)
    gains = list(compared) if any(row.base for row in settings) else []
    height = 0.9 + 0.27 * len(settings)
    figure, axes = _panels(len(metrics) + len(gains), height, columns=2, share=False)
    colours = _colours(settings)
    for axis, metric in zip(axes, metrics, strict=False):
        axis.set_title(heading(metric), fontsize=10)
        for y, (row, colour) in enumerate(zip(settings, colours, strict=True)):
            means = row.means(metric)
            deviation = np.nan_to_num(row.deviation(metric))
            axis.errorbar(means.mean(), y, xerr=deviation, fmt="D", color=colour, capsize=3)
            axis.plot(means, [y] * len(means), ".", color="black", markersize=4, alpha=0.6)
    for axis, metric in zip(axes[len(metrics) :], gains, strict=True):
        axis.set_title(f"{heading(metric)} − base", fontsize=10)
        axis.axvline(0, color="gray", linewidth=0.9)
        for y, (row, colour) in enumerate(zip(settings, colours, strict=True)):
            gap = difference(row, row.base, metric) if row.base else None
            if gap:
                reach = [[gap.mean - gap.low], [gap.high - gap.mean]]
                axis.errorbar(gap.mean, y, xerr=reach, fmt="D", color=colour, capsize=3)
    for i, axis in enumerate(axes):
        labels = [row.label for row in settings] if i % 2 == 0 else [""] * len(settings)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.set_yticks(range(len(settings)), labels)
        axis.set_ylim(len(settings) - 0.5, -0.5)
    figure.savefig(path)


def metric_by_calls(rows: Sequence[Row], metrics: Sequence[str], path: Path) -> bool:
    """For each metric a dot a setting against the network calls that a filling takes.

    Returns:
        whether the settings differ in their calls
    """
    sampled = [row for row in rows if row.fact("network_calls") > 0]
    if len({row.fact("network_calls") for row in sampled}) < 2:
        return False
    figure, axes = _panels(len(metrics), 3.2, columns=3, share=False)
    for axis, metric in zip(axes, metrics, strict=True):
        for row, colour in zip(sampled, _colours(sampled), strict=True):
            deviation = np.nan_to_num(row.deviation(metric))
            at = row.fact("network_calls"), row.mean(metric)
            axis.errorbar(*at, yerr=deviation, fmt="D", color=colour, capsize=3, label=row.label)
        axis.set_xscale("log")
        axis.set_title(heading(metric), fontsize=10)
        axis.set_xlabel("network calls of a filling", fontsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    columns = 1 if len(metrics) == 1 else 2
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False
    )
    figure.savefig(path)
    return True
