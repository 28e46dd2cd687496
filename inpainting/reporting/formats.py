"""Tables in Markdown, LaTeX and CSV."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

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
    "±": r"$\pm$",
    "−": "$-$",
    "…": r"\dots{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def as_markdown(table: Table) -> str:
    """Return a heading, the table and its caption."""
    lines = [[name.replace("|", r"\|") for name in table.header], ["---"] * len(table.header)]
    for line in table.lines:
        texts = [cell.text.replace("|", r"\|") for cell in line]
        pairs = zip(texts, line, strict=True)
        lines.append([f"**{text}**" if cell.bold else text for text, cell in pairs])
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    said = " ".join(table.verdict)
    parts = [f"## {table.title}", said, rows, " ".join(table.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(text: str) -> str:
    """Escape the characters that LaTeX treats as commands."""
    return re.sub(r"[\\~^±−…↑↓&%$#_{}]", lambda match: LATEX[match[0]], text)


def as_latex(table: Table) -> str:
    """Return a table environment, which needs the packages booktabs and adjustbox.

    It has the columns that a page has room for, and the notes below; `table.csv` has all.
    """
    shown = [i for i, name in enumerate(table.header) if name in (table.brief or table.header)]
    lines = [" & ".join(latex(table.header[i]) for i in shown)]
    for line in table.lines:
        cells = [line[i] for i in shown]
        pairs = zip([latex(cell.text) for cell in cells], cells, strict=True)
        lines.append(" & ".join(f"\\textbf{{{t}}}" if cell.bold else t for t, cell in pairs))
    header, *body = (f"{line} \\\\" for line in lines)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex(table.title)}.}}",
            r"\small\centering",
            r"\begin{adjustbox}{max width=\linewidth}",
            rf"\begin{{tabular}}{{l{'r' * (len(shown) - 1)}}}",
            r"\toprule",
            header,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            rf"\par\smallskip\raggedright\footnotesize {latex(' '.join(table.notes))}",
            r"\end{table}",
            "",
        ]
    )


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
    names = dict.fromkeys(name for line in lines for name in line)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(lines)


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
