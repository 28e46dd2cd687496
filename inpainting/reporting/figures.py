"""Figures of a table: its metrics against the setting and against the network calls."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from inpainting.metrics.columns import Column
from inpainting.reporting.intervals import gap_to_base
from inpainting.reporting.panels import LINE, colours, legend_below, lines_of, panels, widest
from inpainting.reporting.rows import Row


def metric_by_setting(
    rows: Sequence[Row], metrics: Sequence[Column], compared: Sequence[Column], path: Path
) -> None:
    """Draw a panel for each metric with a line for each setting: its seeds, mean and deviation.

    Further panels draw the difference of each setting to its base.

    Args:
        rows: rows of one table; methods without training are drawn only if there are no others
        metrics: metrics of the first panels
        compared: metrics of the panels of differences; these panels are drawn if a row has a base
        path: file to write
    """
    settings = [row for row in rows if row.trained] or list(rows)
    gains = list(compared) if any(row.base for row in settings) else []
    names = [lines_of(row.label) for row in settings]
    most = max(name.count("\n") for name in names)
    height = 0.9 + (0.27 + most * LINE) * len(settings)
    number = len(metrics) + len(gains)
    figure, axes = panels(number, height, columns=2, share=False, labels=widest(names))
    for axis, metric in zip(axes, metrics, strict=False):
        axis.set_title(metric.title, fontsize=10)
        for y, (row, colour) in enumerate(zip(settings, colours(settings), strict=True)):
            means = row.means(metric.name)
            deviation = np.nan_to_num(row.deviation(metric.name))
            axis.errorbar(means.mean(), y, xerr=deviation, fmt="D", color=colour, capsize=3)
            axis.plot(means, [y] * len(means), ".", color="black", markersize=4, alpha=0.6)
    for axis, metric in zip(axes[len(metrics) :], gains, strict=True):
        axis.set_title(f"{metric.heading} − base", fontsize=10)
        axis.axvline(0, color="gray", linewidth=0.9)
        for y, (row, colour) in enumerate(zip(settings, colours(settings), strict=True)):
            gap = gap_to_base(row, rows, metric.name)
            if gap:
                reach = [[gap.mean - gap.low], [gap.high - gap.mean]]
                axis.errorbar(gap.mean, y, xerr=reach, fmt="D", color=colour, capsize=3)
    for i, axis in enumerate(axes):
        labels = names if i % 2 == 0 else [""] * len(settings)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.set_yticks(range(len(settings)), labels)
        axis.set_ylim(len(settings) - 0.5, -0.5)
    figure.savefig(path)


def metric_by_calls(rows: Sequence[Row], metrics: Sequence[Column], path: Path) -> bool:
    """Draw a panel for each metric, with a dot for each setting over its network calls.

    Returns:
        False if the settings do not differ in their network calls, so that no file was written
    """
    sampled = [row for row in rows if row.detail("network_calls") > 0]
    if len({row.detail("network_calls") for row in sampled}) < 2:
        return False
    figure, axes = panels(len(metrics), 3.2, columns=3, share=False)
    for axis, metric in zip(axes, metrics, strict=True):
        for row, colour in zip(sampled, colours(sampled), strict=True):
            deviation = np.nan_to_num(row.deviation(metric.name))
            at = row.detail("network_calls"), row.mean(metric.name)
            axis.errorbar(*at, yerr=deviation, fmt="D", color=colour, capsize=3, label=row.label)
        axis.set_xscale("log")
        axis.set_title(metric.heading, fontsize=10)
        axis.set_xlabel("network calls per completion", fontsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    legend_below(figure, handles, labels)
    figure.savefig(path)
    return True
