"""Tables in Markdown, LaTeX and CSV."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from inpainting.reporting.findings import Findings
from inpainting.reporting.human import Panel
from inpainting.reporting.intervals import gap_to_base
from inpainting.reporting.rows import Row
from inpainting.reporting.tables import Table, title_of
from inpainting.runs.measured import Conditions

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def as_markdown(table: Table) -> str:
    """Return a heading, the table and its caption."""
    frame = _frame(table, "**{}**").map(_without_pipes).rename(columns=_without_pipes)
    rows = frame.to_markdown(index=False, tablefmt="github", disable_numparse=True)
    parts = [f"## {table.title}", " ".join(table.verdict), rows, " ".join(table.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(text: str) -> str:
    """Escape what LaTeX treats as commands, and the signs that it knows in formulas alone."""
    return re.sub(r"[\\~^−<>&%$#_{}]", lambda match: LATEX[match[0]], text)


def as_latex(table: Table) -> str:
    """Return a table environment, which needs the packages booktabs and adjustbox.

    It has the columns that a page has room for, and the notes below; `table.csv` has all.
    """
    escaped = replace(
        table,
        header=[latex(name) for name in table.header],
        lines=[[replace(cell, text=latex(cell.text)) for cell in line] for line in table.lines],
    )
    frame = _frame(escaped, r"\textbf{{{}}}").iloc[:, table.shown]
    columns = f"l{'r' * (len(table.shown) - 1)}"
    tabular = frame.style.hide(axis="index").to_latex(hrules=True, column_format=columns)
    return rf"""\begin{{table}}
\caption{{{latex(table.title)}.}}
\small\centering
\begin{{adjustbox}}{{max width=\linewidth}}
{tabular}\end{{adjustbox}}
\par\smallskip\raggedright\footnotesize {latex(" ".join(table.notes))}
\end{{table}}
"""


def _frame(table: Table, bold: str) -> pd.DataFrame:
    """Return the texts of a table, with those of the best values put into `bold`."""
    texts = [[bold.format(c.text) if c.bold else c.text for c in line] for line in table.lines]
    return pd.DataFrame(texts, columns=table.header)


def _without_pipes(text: str) -> str:
    return text.replace("|", r"\|")


def write_csv(path: Path, findings: Findings) -> None:
    """Write all numbers unrounded, with a line for each row of each table and each missing job."""
    lines = [
        _line(conditions, row, rows, findings.panel)
        for conditions, rows in findings.tables.items()
        for row in rows
    ]
    lines += [
        {"row": job.row, "seeds": job.seed, "folder": job.folder, "missing": job.reason}
        for job in findings.missing
    ]
    pd.DataFrame(lines, dtype=object).to_csv(path, index=False)


def _line(conditions: Conditions, row: Row, rows: Sequence[Row], panel: Panel) -> dict[str, object]:
    first = row.runs[0]
    line: dict[str, object] = {
        "table": title_of(rows),
        "mask_hash": conditions.mask_hash,
        "n": conditions.n,
        "n_without_hole": first.details.get("n_without_hole"),
        "measured_with": conditions.measured_with,
        "row": row.label,
        "trained": row.trained,
        "seeds": " ".join(str(run.seed) for run in row.runs if run.seed is not None),
        "completion_seeds": " ".join(str(run.completion_seed) for run in row.runs),
        "compared_with": row.base.label if row.base else "",
    }
    for metric in first.columns:
        line |= {f"{metric}_mean": row.mean(metric), f"{metric}_sd": row.deviation(metric)}
        gap = gap_to_base(row, rows, metric)
        if gap:
            line[f"{metric}_minus_base"] = gap.mean
            line |= {f"{metric}_low": gap.low, f"{metric}_high": gap.high}
            line |= {f"{metric}_p": gap.p_value}
            line["interval_covers"] = "seeds and images" if gap.seeds else "images"
    judged = panel.of(row)
    if judged:
        line |= {"human_local": judged.local_score, "human_global": judged.global_score}
        line |= {"human_average": judged.average, "human_agreement": judged.agreement}
        line |= {"human_apart": judged.apart, "human_scores": judged.number}
    times = ("train_seconds", "train_images_per_second", "test_images_per_second", "wall_seconds")
    return line | {name: row.detail(name) for name in times} | {"folder": first.folder}
