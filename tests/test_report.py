"""Reports of runs whose numbers are known by hand."""

import csv
import json
import re
import shutil
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from PIL import Image
from scipy import stats
from torch import Tensor

from inpainting.images.grid import CAPTION, GAP, LABEL_WIDTH, MARGIN, image_grid
from inpainting.images.saved import KINDS
from inpainting.metrics.base import columns_of
from inpainting.metrics.columns import as_plain
from inpainting.metrics.feature_distances import FrechetDistance
from inpainting.metrics.inception import InceptionDistances
from inpainting.metrics.labels import LabelAgreement
from inpainting.metrics.lpips import LPIPS
from inpainting.metrics.reconstruction import Reconstruction
from inpainting.reporting import build
from inpainting.reporting.cells import Cell
from inpainting.reporting.correlation import spearman
from inpainting.reporting.findings import Findings
from inpainting.reporting.formats import as_latex, latex
from inpainting.reporting.human import Panel
from inpainting.reporting.intervals import certainly_best, difference
from inpainting.reporting.leaderboard import leaderboard
from inpainting.reporting.logs import epoch_tested, logged_together, phases, read_log
from inpainting.reporting.naming import differences
from inpainting.reporting.rows import Row, tables_of_rows
from inpainting.reporting.tables import Table, settings_table
from inpainting.runs.collect import collect
from inpainting.runs.provenance import provenance
from inpainting.runs.results import Result
from inpainting.scoring.items import Item
from inpainting.scoring.scores import COLUMNS as SCORE_COLUMNS
from inpainting.scoring.scores import Score, append_score, score_path

COLUMNS = columns_of([Reconstruction(), LabelAgreement(None), FrechetDistance(None), LPIPS()])
COLUMNS |= columns_of([InceptionDistances()])

PSNR = COLUMNS["psnr_hole"]

BASE = [[10, 12, 14, 16], [12, 14, 16, 18]]  # hole PSNR of four images, two seeds
# Better by 3, 3, 4 and 4 on the images, with seeds as far apart as the base's, or hardly.
LOOSE = [[14, 15, 19, 20], [14, 17, 19, 22]]
TIGHT = [[15.0, 17.0, 20.0, 22.0], [15.01, 17.01, 20.01, 22.01]]


def write_run(
    folder: Path,
    psnr_hole: list[float],
    row: str = "base",
    seed: int | None = 0,
    compared_with: str | None = None,
    mask_hash: str = "aaaa",
    **config: object,
) -> Path:
    """A finished run with these numbers of its images; SSIM is a hundredth, L1 falls with it."""
    psnr = np.array(psnr_hole, dtype=float)
    names = ("psnr_hole", "psnr_local", "psnr")
    rows = {"index": np.arange(len(psnr))} | {n: psnr + 2 * i for i, n in enumerate(names)}
    rows |= {"ssim_hole": psnr / 100, "l1": 1 / psnr}
    summary = {n: float(np.mean(v)) for n, v in rows.items() if n != "index"}
    summary |= {"n": len(psnr), "n_without_hole": 0}
    details = {"mask_hash": mask_hash, "mask": "Rectangle()", "eval_mask_seed": 1701}
    if seed is not None:
        details |= {"epochs": 2, "train_seconds": 90.0 + seed, "seed": seed}
    files = [f"{i}.png" for i in range(len(psnr))]
    columns = {name: COLUMNS[name] for name in summary if name in COLUMNS}
    details["measured_with"] = ["torchmetrics"]
    Result(row, columns, summary, rows, files, details).write(folder)
    known = {"name": "table", "row": row, "compared_with": compared_with, "seed": seed or 0}
    known |= {"model": {"width": 8}, "trainer": {"max_epochs": 2}, "data": {"root": "x/outdoor"}}
    known |= {"monitor": "val/psnr_hole", "metrics": {"reconstruction": {"local_share": 0.4375}}}
    OmegaConf.save(OmegaConf.create(known | config), folder / "config.yaml")
    return folder


def write_log(folder: Path, losses: list[float], qualities: list[float]) -> None:
    """Three phases, a line that averages over the change between two of them, validations."""
    columns = ["epoch", "step", "train/loss_completion", "train/loss_d", "train/loss_g"]
    columns += ["train/loss_g_mse", "val/loss", "val/psnr_hole"]
    lines = [(0, 9, 0.5), (0, 19, 0.4, 0.7), (0, 29, "", 0.6), (0, 39, "", 0.5, 3.0, 1.0)]
    lines += [
        (i, 39, "", "", "", "", *pair) for i, pair in enumerate(zip(losses, qualities, strict=True))
    ]
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([*line, *[""] * (len(columns) - len(line))] for line in lines)


def draw(folder: Path, shade: float) -> None:
    """Single images of a test: targets from black to white, transparent holes, completions."""
    (folder / "images" / "test").mkdir(parents=True)
    for number, grey in enumerate(np.linspace(0, 255, 8).round().astype(int).tolist()):
        completed = (round(255 * shade),) * 3
        colours = ((grey, grey, grey), (0, 0, 0, 0), completed)
        for kind, colour in zip(KINDS, colours, strict=True):
            image = Image.new("RGBA" if len(colour) == 4 else "RGB", (32, 32), colour)
            image.save(folder / "images" / "test" / f"{number:05d}_{kind}.png")


def read_grid_row(grid: Image.Image, row: int, cell: int = 128) -> Tensor:
    """The images of one row of a grid, (N, 3, cell, cell) in [0, 1].

    Numbers stand below the completions, which follow the targets and the masked images.
    """
    columns = (grid.width - LABEL_WIDTH) // (cell + GAP)
    pixels = torch.from_numpy(np.array(grid.convert("RGB"))).permute(2, 0, 1) / 255
    top = GAP + row * (cell + GAP) + max(0, row - 2) * CAPTION
    lefts = [LABEL_WIDTH + c * (cell + GAP) for c in range(columns)]
    return torch.stack([pixels[:, top : top + cell, left : left + cell] for left in lefts])


def scored(
    home: Path, number: int, what: tuple[str, str, int, int], local: int, whole: int
) -> Score:
    """A score of an image of the run ROW-seedSEED, given as kind, row, seed and index."""
    _, row, seed, _ = what
    item = Item(*what, home / f"{row}-seed{seed}", home)
    return Score("now", number, *what, local, whole, item.place, item.image)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three settings with two seeds each, one without a finished job, and a classical fill."""
    folder = tmp_path_factory.mktemp("runs") / "sweep"
    for row, numbers in {"base": BASE, "loose_10%": LOOSE, "tight": TIGHT}.items():
        for seed in range(2):
            base = None if row == "base" else "base"
            run = write_run(folder / f"{row}-seed{seed}", numbers[seed], row, seed, base)
            write_run(run / "against" / "telea", [9, 9, 9, 9], "telea", None)
            (run / "against" / "telea" / "config.yaml").unlink()
            write_log(run, [0.3, 0.2, 0.1], [1.0, 3.0, 2.0])
            draw(run, {"base": 0.0, "loose_10%": 0.4, "tight": 0.8}[row])
    for seed in range(2):
        failed = folder / f"broken-seed{seed}"
        failed.mkdir()
        known = {"row": "broken", "name": "table", "seed": seed}
        OmegaConf.save(OmegaConf.create(known), failed / "config.yaml")
    (folder / "broken-seed0" / "failed.txt").write_text("the loss became NaN in epoch 3\n")
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved from now on; one whose parts find no room is an error."""
    found: list[Figure] = []
    save = Figure.savefig

    def saving(figure: Figure, *arguments: object, **options: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save(figure, *arguments, **options)
        found.append(figure)

    monkeypatch.setattr(Figure, "savefig", saving)
    return found


def rows_of(*folders: Path, base: str | None = None) -> dict[str, Row]:
    """Rows by label, of folders whose numbers belong in one table."""
    measured, _ = collect([str(folder) for folder in folders])
    (table,) = tables_of_rows(measured, base).values()
    return {row.label: row for row in table}


def markdown_tables(path: Path) -> list[list[dict[str, str]]]:
    """Every table as lines of column name to cell."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
        cells = [re.split(r" *\| *", line)[1:-1] for line in block.splitlines()]
        cells[0] = [re.sub(r"(, dB)?( [↑↓])?$", "", name) for name in cells[0]]  # unit and arrow
        tables.append([dict(zip(cells[0], line, strict=True)) for line in cells[2:]])
    return tables


@pytest.fixture(scope="module")
def written(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the sweep, in the sweep's folder of a copy."""
    from inpainting.reporting.build import report

    copy = tmp_path_factory.mktemp("copy") / "sweep"
    shutil.copytree(sweep, copy)
    for scorer, points in {"ann": (3, 5, 4), "bob": (4, 8, 6)}.items():
        given = zip(("base", "tight", "loose_10%"), points, strict=True)
        lines = [(f"completion {row} 0 1", local) for row, local in given]
        lines += [("duplicate base 0 1", points[0] + 2), ("target base 0 1", 10)]
        for i, (text, local) in enumerate(lines):
            kind, row, seed, index = text.split()
            what = kind, row, int(seed), int(index)
            append_score(score_path(copy, scorer), scored(copy, i, what, local, local - 1))
    report([str(copy)], copy)
    return copy


def test_means_and_deviations_are_over_seeds(written: Path) -> None:
    rows = {line["setting"]: line for line in markdown_tables(written / "table.md")[0]}
    # Means 13 and 15: 14, and sqrt(2); 17 and 18: 17.5, and sqrt(1/2).
    assert rows["base"]["PSNR hole"] == "14.00 ± 1.41"
    assert rows["loose_10%"]["PSNR hole"] == "17.50 ± 0.71"
    assert rows["base"]["seeds"] == "2"
    assert rows["base"]["time"] == "90.5 s"


def test_a_difference_has_an_interval_over_seeds_and_images(written: Path) -> None:
    rows = {line["setting"]: line for line in markdown_tables(written / "table.md")[0]}
    # See test_intervals for the variance of 1.25 with 1.4674 degrees of freedom, for which
    # Student's t at 1 - 0.05 / 2 / 2 comparisons is 10.04: half the interval is 11.22.
    assert rows["loose_10%"]["PSNR hole − base"] == "+3.50 [−7.72, +14.72]"
    assert rows["loose_10%"]["compared with"] == "base"
    assert rows["base"]["PSNR hole − base"] == "" == rows["base"]["compared with"]


def test_local_and_whole_stand_beside_each_other(written: Path) -> None:
    columns = list(markdown_tables(written / "table.md")[0][0])
    assert columns.index("PSNR whole") == columns.index("PSNR local") + 1


def test_the_best_is_bold_only_where_images_and_seeds_say_so(sweep: Path) -> None:
    rows = rows_of(sweep)
    base, loose, tight = rows["base"], rows["loose_10%"], rows["tight"]
    # Certain over the images, but two seeds so far apart say nothing.
    once = [Row(row.runs[:1], row.label) for row in (loose, base)]
    assert difference(*once, "psnr_hole").certain
    assert not difference(loose, base, "psnr_hole").certain
    assert certainly_best([base, loose], PSNR) is None
    # Of one seed each there are only the images.
    alone = [Row(row.runs[:1], row.label) for row in (base, tight)]
    assert not difference(*alone, "psnr_hole").seeds
    assert certainly_best(alone, PSNR) is alone[1]
    # Lower is better, and the best must beat every other one.
    assert certainly_best(alone, COLUMNS["l1"]) is alone[1]
    twin = Row(tight.runs[1:], "twin")
    assert certainly_best([*alone, Row(tight.runs[:1], "same")], PSNR) is None
    assert certainly_best([*alone, twin], PSNR) is twin


def test_settings_compete_with_one_another_and_methods_with_the_floor(tmp_path: Path) -> None:
    write_run(tmp_path / "s" / "a", BASE[0])
    run = write_run(tmp_path / "s" / "b", TIGHT[0], "tight")
    write_run(run / "against" / "telea", [30, 31, 32, 33], "telea", None)
    rows = list(rows_of(tmp_path / "s").values())
    conditions = rows[0].runs[0].conditions
    findings = Findings({conditions: rows}, ["psnr_hole"], Panel([]), [])
    tables = settings_table(findings, conditions), leaderboard(findings)
    for table, best in zip(tables, ("tight", "telea (floor)"), strict=True):
        column = table.header.index(PSNR.title)
        assert [line[0].text for line in table.lines if line[column].bold] == [best]


def test_jobs_without_numbers_are_named(written: Path) -> None:
    text = (written / "table.md").read_text()
    rows = {line["setting"]: line for line in markdown_tables(written / "table.md")[0]}
    assert rows["broken"]["seeds"] == "0 of 2" and rows["broken"]["PSNR hole"] == ""
    assert "failed or have not finished: broken-seed0, broken-seed1." in text
    jobs = {line["folder"].split("/")[-1]: line["reason"] for line in markdown_tables(
        written / "table.md")[-1]}  # fmt: skip
    assert jobs["broken-seed0"] == "the loss became NaN in epoch 3"
    assert jobs["broken-seed1"] == "not finished: no metrics.json"
    assert "the loss became NaN" in (written / "report.html").read_text()


def test_the_csv_has_the_numbers_unrounded(written: Path) -> None:
    with open(written / "table.csv", newline="") as file:
        rows = {line["row"]: line for line in csv.DictReader(file)}
    assert float(rows["base"]["psnr_hole_sd"]) == pytest.approx(2**0.5)
    assert float(rows["loose_10%"]["psnr_hole_low"]) == pytest.approx(3.5 - 11.222, abs=1e-3)
    assert rows["base"]["mask_hash"] == "aaaa" and rows["base"]["seeds"] == "0 1"
    assert rows["broken"]["missing"]


def test_latex_escapes_names_and_has_as_many_cells_in_each_line(written: Path) -> None:
    assert latex(r"a_b & 5% #1 {x} \y ~ ^ $") == (
        r"a\_b \& 5\% \#1 \{x\} \textbackslash{}y \textasciitilde{} \textasciicircum{} \$"
    )
    text = (written / "table.tex").read_text()
    plain = re.sub(r"\\[\\&%$#_{}]", "", text.replace(r"\\", ""))
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0 and "_" not in plain and "#" not in plain
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end", text, re.DOTALL):
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 1
        for line in lines:
            assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    table = Table("t", ["a", "b"], [[Cell("x_1"), Cell("2", bold=True)]])
    assert r"x\_1 & \textbf{2} \\" in as_latex(table)


def test_the_page_needs_no_other_file(written: Path) -> None:
    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag: str, attributes: list) -> None:
            assert tag not in ("script", "link", "iframe")
            self.found += [v for k, v in attributes if k in ("src", "href", "srcset", "data")]

    page = (written / "report.html").read_text()
    assert "://" not in page and "url(" not in page and "@import" not in page
    Links().feed(page)
    inside = [link for link in Links.found if not link.startswith("#")]
    assert len(inside) == 3  # images, metrics, losses
    assert all(link.startswith("data:image/png;base64,") for link in inside)
    anchors = {link.removeprefix("#") for link in Links.found} - set(inside)
    assert anchors and all(f'<section id="{name}">' in page for name in anchors)
    assert "loose_10%" in page and "[−7.72, +14.72]" in page


def test_the_same_images_through_every_row(written: Path) -> None:
    with Image.open(written / "images" / "rows.png") as grid:
        shades = [float(read_grid_row(grid, row).mean()) for row in range(5)]
        first = read_grid_row(grid, 0)
        # The four measured images have their numbers below them.
        pixels = np.array(grid.convert("L"))
        below = pixels[2 * (128 + GAP) + 128 + GAP :][:CAPTION, LABEL_WIDTH:]
    written_below = [(below[:, 132 * c : 132 * (c + 1)] < 128).any() for c in range(8)]
    assert written_below == [True] * 4 + [False] * 4
    # Target, masked input, base, loose_10%, tight; telea has none.
    assert shades[1:] == pytest.approx([1.0, 0.0, 0.4, 0.8], abs=0.003)
    assert first.mean((1, 2, 3)).tolist() == pytest.approx(np.linspace(0, 1, 8).tolist(), abs=0.01)
    assert "Rows without these images are left out: telea." in (written / "report.html").read_text()


def test_phases_are_the_losses_that_are_logged_together(sweep: Path) -> None:
    log = read_log(sweep / "base-seed0")
    known = logged_together([log])
    found = {names: log["step"][lines].tolist() for names, lines in phases(log, known).items()}
    assert found == {
        ("train/loss_completion",): [9],
        ("train/loss_d",): [29],
        ("train/loss_d", "train/loss_g"): [39],
    }


def test_phases_so_short_that_every_line_of_one_averages_over_a_change() -> None:
    losses = {
        "train/loss_completion": [5, 4, 9],
        "train/loss_d": [9, 1, 2],
        "train/loss_g": [9, 9, 3],
    }
    log = {name: np.array([np.nan if v == 9 else v for v in one]) for name, one in losses.items()}
    found = list(phases(log, logged_together([log])))
    assert found == [("train/loss_completion",), ("train/loss_d", "train/loss_g")]


def test_a_mixture_is_told_by_the_phases_that_other_runs_of_the_table_log_alone(
    sweep: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    # A first phase shorter than the interval of logging: no line has completion alone.
    runs = {"base": sweep / "base-seed0", "short_phase": write_run(tmp_path / "s" / "1", BASE[1])}
    write_run(runs["short_phase"], BASE[1], "short_phase")
    header = "epoch,step,train/loss_completion,train/loss_d,train/loss_g\n"
    (runs["short_phase"] / "metrics.csv").write_text(header + "0,9,0.5,0.7,\n0,19,,0.6,3.0\n")
    shutil.copytree(runs["base"], tmp_path / "s" / "0")
    (tmp_path / "s" / "0" / "metrics.csv").write_text(
        header + "0,9,0.5,,\n0,19,,0.6,\n0,29,,0.5,3.0\n"
    )
    build.report([str(tmp_path / "s")], tmp_path / "out")
    panels = {axis.get_title(): axis.lines for axis in drawn[-1].axes}
    assert set(panels) == {
        "completion loss alone",
        "d loss alone",
        "d loss, with g",
        "g loss, with d",
    }
    assert [list(line.get_xdata()) for line in panels["g loss, with d"]] == [[30], [20]]
    text = (tmp_path / "out" / "report.html").read_text()
    assert "so there is no line: completion loss of short_phase." in text


def test_the_epoch_that_was_tested(sweep: Path) -> None:
    log = read_log(sweep / "base-seed0")  # validations in lines 4 to 6, hole PSNR 1, 3, 2
    run = collect([str(sweep)])[0][0]
    assert run.setting["monitor"] == "val/psnr_hole"
    assert epoch_tested(log, run) == 5
    lower = {"psnr_hole": replace(PSNR, direction="min")}
    by_facts = replace(run, details=run.details | {"columns": as_plain(lower)})
    assert epoch_tested(log, by_facts) == 4
    assert epoch_tested(log, replace(run, setting=run.setting | {"checkpoint": "last"})) == 6


def test_validation_loss_that_does_not_track_quality(sweep: Path, tmp_path: Path) -> None:
    from inpainting.reporting.build import report

    # Over runs: losses 0.2, 0.3, 0.4 of the tested epochs, hole PSNR 12, 20, 16: ranks 1 2 3 and
    # 1 3 2, whose correlation is 1/2. Over the three epochs of each run it is -1.
    for i, (loss, psnr) in enumerate([(0.2, 12), (0.3, 20), (0.4, 16)]):
        run = write_run(tmp_path / "s" / str(i), [psnr - 1, psnr, psnr + 1], f"row{i}")
        write_log(run, [loss + 0.1, loss, loss + 0.2], [2.0, 3.0, 1.0])
    report([str(tmp_path / "s")], tmp_path / "out")
    tables = markdown_tables(tmp_path / "out" / "table.md")
    (line,) = [line for line in tables[1] if line.get("measure") == "PSNR hole"]
    assert (line["over runs"], line["over epochs"]) == ("+0.50", "−1.00")
    assert (line["runs"], line["logs"], line["tracked if"]) == ("3", "3", "−1")


def test_other_holes_or_images_or_versions_never_share_a_table(tmp_path: Path) -> None:
    from inpainting.reporting.build import report

    write_run(tmp_path / "s" / "base-seed0", BASE[0])
    write_run(tmp_path / "s" / "tight-seed0", TIGHT[0], "tight", 0, "base", mask_hash="bbbb")
    write_run(tmp_path / "s" / "few-seed0", TIGHT[0][:3], "few", 0, "base")
    older = write_run(tmp_path / "s" / "old-seed0", TIGHT[0], "old", 0, "base")
    details = json.loads((older / "metrics.json").read_text())
    details["versions"]["torchmetrics"] = "0.1"
    (older / "metrics.json").write_text(json.dumps(details))

    wider = {"metrics": {"reconstruction": {"local_share": 0.5}}}
    write_run(tmp_path / "s" / "wide-seed0", TIGHT[0], "wide", 0, "base", **wider)

    made = report([str(tmp_path / "s")], tmp_path / "out")
    assert len(made.tables) == 5
    for table in made.tables:
        assert len(table.lines) == 1 and "PSNR hole − base" not in table.header
        assert not any(cell.bold for line in table.lines for cell in line)
    text = (tmp_path / "out" / "table.md").read_text()
    assert "tight is to be compared with base, which is not in this table." in text
    assert "torchmetrics 0.1" in text and "hash bbbb" in text
    # In the leaderboard each has a column of its own.
    board = {line["method"]: line for line in markdown_tables(tmp_path / "out" / "table.md")[-1]}
    filled = {name: sum(v != "" for v in line.values()) - 1 for name, line in board.items()}
    names = ("base", "tight", "few", "old", "wide")
    assert filled == {"truth (ceiling)": 10} | dict.fromkeys(names, 2)


def test_what_only_some_runs_measured_does_not_keep_the_rest_apart(tmp_path: Path) -> None:
    for row, metrics in {"base": {}, "tight": {"lpips": {"network": "vgg"}}}.items():
        metrics = {"reconstruction": {"local_share": 0.4375}, **metrics}
        write_run(tmp_path / row, BASE[0] if row == "base" else TIGHT[0], row, metrics=metrics)
    (table,) = build.report([str(tmp_path)], tmp_path / "out").tables
    assert len(table.lines) == 2 and "local_share=0.4375" in table.notes[0]


def test_numbers_of_differently_defined_metrics_never_share_a_table(tmp_path: Path) -> None:
    def lpips(network: str, **more: object) -> dict[str, object]:
        target = "inpainting.metrics.lpips.LPIPS"
        return {"lpips": {"_target_": target, "network": network, **more}}

    definitions = {
        "base": lpips("alex", weights="a.pth", classifier={"cache": "here", "lr": 0.1}),
        "moved": lpips("alex", download=True, classifier={"cache": "there", "lr": 0.1}),
        "tight": lpips("vgg", classifier={"cache": "here", "lr": 0.1}),
    }
    for i, (row, metrics) in enumerate(definitions.items()):
        write_run(tmp_path / "s" / row, LOOSE[0] if i else BASE[0], row, metrics=metrics)
        draw(tmp_path / "s" / row, i / 2)
    made = build.report([str(tmp_path / "s")], tmp_path / "out")
    alex, vgg = made.tables
    assert [[line[0].text for line in one.lines] for one in (alex, vgg)] == [
        ["base", "moved"],
        ["tight"],
    ]
    assert "lpips.network=alex, lpips.classifier.lr=0.1." in alex.notes[0]
    only = "measured differently are in other tables; only this one has lpips.network=vgg."
    assert only in vgg.notes[-1]
    assert alex.title != vgg.title
    # Each has images of its own: four rows of a grid, and three.
    heights = [
        Image.open(tmp_path / "out" / "images" / f"rows_aaaa_{i}.png").height for i in (1, 2)
    ]
    assert heights == [4 * 132 + GAP + 2 * CAPTION, 3 * 132 + GAP + CAPTION]


def test_fid_of_another_torch_fidelity_stands_in_another_table(tmp_path: Path) -> None:
    versions = provenance(["torch-fidelity", "an extra that is not installed"])["versions"]
    assert versions["torch-fidelity"] == version("torch-fidelity")
    assert "an extra that is not installed" not in versions
    for name, release in {"a": "0.3.0", "b": "0.4.0"}.items():
        path = write_run(tmp_path / name, BASE[0], name) / "metrics.json"
        details = json.loads(path.read_text())
        details["versions"]["torch-fidelity"] = release
        path.write_text(json.dumps(details))
    tables = tables_of_rows(collect([str(tmp_path)])[0])
    assert len(tables) == 1  # nothing here is of its network
    for name in "ab":
        path = tmp_path / name / "metrics.json"
        details = json.loads(path.read_text())
        details |= {"fid": 30.0, "measured_with": ["torch-fidelity", "torchmetrics"]}
        details["columns"] += as_plain({"fid": COLUMNS["fid"]})
        path.write_text(json.dumps(details))
    tables = tables_of_rows(collect([str(tmp_path)])[0])
    assert ["torch-fidelity 0.3.0" in key.metrics for key in tables] == [True, False]


def test_equal_hashes_of_other_images_are_refused(tmp_path: Path, failure) -> None:
    write_run(tmp_path / "s" / "a", BASE[0])
    other = write_run(tmp_path / "s" / "b", BASE[1], "b") / "per_image.csv"
    other.write_text(other.read_text().replace("\n3.png,3,", "\n3.png,7,"))
    assert "lists different images from" in failure("report", "s")


def test_runs_of_one_name_are_told_apart_by_their_settings(tmp_path: Path) -> None:
    write_run(tmp_path / "s" / "0", BASE[0], "glcic")
    write_run(tmp_path / "s" / "1", BASE[1], "glcic", model={"width": 16})
    write_run(tmp_path / "s" / "2", TIGHT[0], "glcic", 1, model={"width": 16})
    rows = rows_of(tmp_path / "s")
    assert {label: len(row.runs) for label, row in rows.items()} == {
        "glcic (width=8)": 1,
        "glcic (width=16)": 2,
    }
    # The same setting and seed with other numbers: two rows, never a deviation over seeds.
    write_run(tmp_path / "s" / "3", LOOSE[0], "glcic", 1, model={"width": 16})
    assert len(rows_of(tmp_path / "s")) == 4


def test_equal_numbers_of_two_settings_are_two_rows(tmp_path: Path) -> None:
    write_run(tmp_path / "s" / "0", BASE[0], "glcic")
    write_run(tmp_path / "s" / "1", BASE[0], "glcic", model={"width": 16})
    assert set(rows_of(tmp_path / "s")) == {"glcic (width=8)", "glcic (width=16)"}


def test_a_label_has_the_first_digits_of_a_number_and_the_end_of_a_path() -> None:
    def texts(*values: object) -> list[str]:
        return [one.removeprefix("x=") for one in differences([{"a.x": str(v)} for v in values])]

    assert texts(0.00035090148857968553, 1.5e-07, 90) == ["0.0003509", "1.5e-07", "90"]
    # More digits where only they tell two apart; equal numbers typed otherwise need none.
    assert texts(0.12341, 0.12342, 0.5) == ["0.12341", "0.12342", "0.5"]
    assert texts("0.10", "0.1", "0.2") == ["0.1", "0.1", "0.2"]
    assert texts(123456789012345678901, None) == ["123456789012345678901", "None"]
    assert texts("data/of/outdoor/images/64", "20_30_50") == ["…f/outdoor/images/64", "20_30_50"]


def test_a_measurement_made_twice_counts_once(sweep: Path, tmp_path: Path) -> None:
    # Six jobs measured the same classical fill.
    telea = rows_of(sweep)["telea"]
    assert len(telea.runs) == 1 and not telea.trained
    # An evaluation measured what the training's test did.
    run = write_run(tmp_path / "run", BASE[0])
    evaluation = write_run(tmp_path / "evaluation", BASE[0], checkpoint="best", seed=3)
    details = json.loads((run / "metrics.json").read_text()) | {"run": str(run)}
    (evaluation / "metrics.json").write_text(json.dumps(details))
    assert len(rows_of(run, evaluation)["base"].runs) == 1


def test_a_leaderboard_from_floor_to_ceiling(written: Path) -> None:
    board = [table for table in markdown_tables(written / "table.md") if "method" in table[0]][0]
    assert [line["method"] for line in board] == [
        "truth (ceiling)", "tight", "loose_10%", "base", "telea (floor)",
    ]  # fmt: skip
    assert [line["PSNR hole"] for line in board][::4] == ["100.00", "9.00"]


def test_an_evaluation_stands_under_the_setting_and_seed_of_its_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", BASE[0], "row", 5)
    measured = write_run(tmp_path / "evaluated", BASE[1], "other", 0, mask_hash="bbbb")
    details = json.loads((measured / "metrics.json").read_text())
    details = {k: v for k, v in details.items() if k != "epochs"} | {"run": str(run)}
    (measured / "metrics.json").write_text(json.dumps(details))
    config = OmegaConf.load(measured / "config.yaml")
    OmegaConf.save(OmegaConf.merge(config, {"checkpoint": "best"}), measured / "config.yaml")
    (row,) = rows_of(tmp_path / "evaluated").values()
    assert (row.label, row.runs[0].seed, row.trained) == ("row", 5, True)


def test_human_scores_stand_in_the_table_as_in_report_004(written: Path) -> None:
    rows = {line["setting"]: line for line in markdown_tables(written / "table.md")[0]}
    tight = rows["tight"]  # Ann gave 5 and 4, Bob 8 and 7
    human = [tight[f"human {name}"] for name in ("local", "global", "average")]
    assert human == ["6.50", "5.50", "6.00"]
    text = (written / "table.md").read_text()
    # Averages 2.5 4.5 3.5 and 3.5 7.5 5.5 are 1, 3 and 2 apart. Krippendorff's alpha by hand: of
    # these six numbers, sum 27 and sum of squares 137.5, 1 - (28 / 6) / (2 * 96 / 30) = 0.27.
    assert "averages are 2.00 points apart, and Krippendorff's alpha is 0.27." in text
    scorers = [table for table in markdown_tables(written / "table.md") if "scorer" in table[0]][0]
    assert scorers[0] == {
        "scorer": "ann", "completions": "3", "targets": "1", "their local": "10.00",
        "their global": "9.00", "duplicates": "1", "local apart": "2.00", "global apart": "2.00",
    }  # fmt: skip


def test_a_corrected_score_counts_once_and_agreement_is_alpha(sweep: Path, tmp_path) -> None:
    home = tmp_path / "sweep"
    shutil.copytree(sweep, home)
    for scorer, given in {"ann": [1, 2, 3, 4], "bob": [2, 1, 3, 9]}.items():
        for i, points in enumerate([7, *given[1:], given[0]]):  # the first one is given again
            index = i % 4
            score = scored(home, i, ("completion", "base", 1, index), points, points)
            append_score(score_path(home, scorer), score)
    judged = Panel([home]).of(rows_of(home)["base"])
    # By hand, of 1 2 3 4 and 2 1 3 9, sum 25, squares 125: 1 - (54 / 8) / (750 / 56) = 0.496.
    assert judged.agreement == pytest.approx(0.496)
    assert (judged.local_score, judged.number) == (pytest.approx((2.5 + 3.75) / 2), 8)


def test_typed_over_a_real_training(command, tmp_path: Path, trained: Path, capsys) -> None:
    shutil.copytree(trained, tmp_path / "sweep" / "row-seed0")
    command("report", "sweep", "metric=psnr_hole")
    details = json.loads((trained / "metrics.json").read_text())
    (row,) = markdown_tables(tmp_path / "sweep" / "table.md")[0]
    assert float(row["PSNR hole"]) == pytest.approx(details["psnr_hole"], abs=0.006)
    for name in ("rows", "metrics", "losses"):
        with Image.open(tmp_path / "sweep" / "images" / f"{name}.png") as image:
            assert min(image.size) > 100
    assert "sweep/report.html" in capsys.readouterr().out
    # A run's own table.md stays.
    run = tmp_path / "sweep" / "row-seed0"
    before = (run / "table.md").read_text()
    command("report", "sweep/row-seed0")
    assert (run / "table.md").read_text() == before and (run / "report/table.md").is_file()


def test_the_p_value_of_a_few_runs_counts_orders() -> None:
    # Of the 4! orders, two are perfectly in line; of the 3!, too.
    assert spearman([1, 2, 3, 4], [9, 7, 5, 1]) == pytest.approx((-1, 2 / 24))
    assert spearman([1, 2, 3], [0.1, 0.2, 0.3]) == pytest.approx((1, 2 / 6))
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    known = stats.spearmanr(x, y)
    assert spearman(x, y) == pytest.approx((known.statistic, known.pvalue))


def test_what_was_never_a_job_is_not_counted_as_one(tmp_path: Path) -> None:
    for name, mode in {"predict": "RUN", "refused": "RUN", "killed": "MULTIRUN"}.items():
        (tmp_path / name / ".hydra").mkdir(parents=True)
        config = OmegaConf.create({"hydra": {"mode": mode}})
        OmegaConf.save(config, tmp_path / name / ".hydra" / "hydra.yaml")
    _, missing = collect([str(tmp_path)])
    assert [job.folder.name for job in missing] == ["killed"]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["empty"], "empty: no run in it"),
        (["unfinished"], "no job has finished"),
        ([], "type the folder of a sweep"),
        (["good", "metrics=psnr"], "metrics=psnr: no such key; type one of metric, base, out"),
        (["good", "metric=lpips"], "metric=lpips: not measured; type one or more of psnr_hole"),
        (["good", "base=other"], "base=other: no row can be compared with it; leave base out"),
        (["broken"], "no job has finished (broken/a: not finished"),
        (["bare"], "per_image.csv is missing"),
        (["scored"], "scores/ann.csv, line 2: local=11: a score is from 1 to 10"),
    ],
)
def test_what_cannot_be_reported_on_is_one_sentence(
    failure, tmp_path: Path, words: list[str], sentence: str
) -> None:
    write_run(tmp_path / "good" / "a", BASE[0])
    for name in ("empty", "unfinished/a", "broken/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "unfinished/a/failed.txt").write_text("no data\n")
    (tmp_path / "broken/a/metrics.json").write_text("{}")
    for name in ("bare", "scored"):
        shutil.copytree(tmp_path / "good", tmp_path / name)
    (tmp_path / "bare/a/per_image.csv").unlink()
    (tmp_path / "scored/scores").mkdir()
    lines = f"{','.join(SCORE_COLUMNS)}\nnow,0,completion,base,0,0,11,5,a,1f\n"
    (tmp_path / "scored/scores/ann.csv").write_text(lines)
    assert sentence in failure("report", *words)


def test_samplers_stand_against_their_network_calls_and_completion_seeds_are_seeds(
    tmp_path: Path,
) -> None:
    for calls in (20, 50):
        for seed in (0, 1):
            model = {"width": 8, "sampling_steps": calls, "completion_seed": seed}
            name = f"calls{calls}-{seed}"
            better = [value + calls for value in BASE[seed]]
            run = write_run(tmp_path / name, better, model=model)
            details = json.loads((run / "metrics.json").read_text())
            (run / "metrics.json").write_text(json.dumps(details | {"network_calls": calls}))
    build.report([str(tmp_path)], tmp_path / "out")
    (table, *_) = markdown_tables(tmp_path / "out" / "table.md")
    assert [row["network calls"] for row in table] == ["20", "50"]
    assert [row["seeds"] for row in table] == ["2", "2"]
    assert list((tmp_path / "out" / "images").glob("calls*.png"))


def test_long_labels_leave_room_for_the_plots_and_for_one_another(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    for i, weight in enumerate((0.00035090148857968553, 0.000412, 0.1, 0.00299)):
        model = {"adversarial_weight": weight, "discriminator_learning_rate": weight / 3}
        model |= {"completion_steps_share": 90 + i, "sampling_steps": 10 * (i + 1)}
        run = write_run(tmp_path / "s" / str(i), [v + i for v in BASE[0]], "glcic", model=model)
        write_log(run, [0.3, 0.2], [1.0, 2.0])
        details = json.loads((run / "metrics.json").read_text())
        (run / "metrics.json").write_text(json.dumps(details | {"network_calls": 10 * (i + 1)}))
    build.report([str(tmp_path / "s")], tmp_path / "out")
    assert len(drawn) == 3  # metrics, calls, losses
    for figure in drawn:
        texts = [axis.title for axis in figure.axes]
        if figure is drawn[0]:  # the settings are its ticks
            texts += [text for axis in figure.axes for text in axis.get_yticklabels()]
        texts += [text for legend in figure.legends for text in legend.get_texts()]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        places = [axis.get_window_extent() for axis in figure.axes]
        for i, box in enumerate(boxes):
            assert box.x0 >= 0 and box.y0 >= 0
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[i + 1 :] + places)
        assert min(place.width for place in places) > 3.5 * figure.dpi
        assert min(place.height for place in places) > 1.2 * figure.dpi


def test_long_labels_of_a_grid_stay_in_their_rows_beside_the_images() -> None:
    label = "glcic (adversarial_weight=0.0003509, discriminator_learning_rate=0.001235, steps=90)"
    images = torch.zeros(2, 1, 16, 16)
    grid = image_grid({f"{label} {i}": images for i in range(3)})
    left = grid.width - 2 * (128 + GAP)
    ink = np.array(grid.convert("L"))[:, :left] < 250
    assert left > LABEL_WIDTH and not ink[:, left - MARGIN // 2 :].any()
    between = [slice(r * (128 + GAP), r * (128 + GAP) + GAP) for r in range(4)]
    assert not any(ink[lines].any() for lines in between)
    assert all(ink[above.stop : below.start].any() for above, below in pairwise(between))
    # A short label leaves the column as it is.
    assert image_grid({"target": images}).width == LABEL_WIDTH + 2 * (128 + GAP)


def test_one_epoch_is_a_dot_as_a_line_of_one_point_would_not_show(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    write_log(write_run(tmp_path / "s" / "0", BASE[0]), [0.3], [1.0])
    build.report([str(tmp_path / "s")], tmp_path / "out")
    panels = {axis.get_title(): axis.lines[0] for axis in drawn[-1].axes}
    line = panels["validation: psnr hole"]
    assert len(line.get_xdata()) == 1 and line.get_marker() == "."
