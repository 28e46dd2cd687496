"""Scoring by eye: the order, what is kept, the page in a real browser."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from browsing import chromium, wait_for
from PIL import Image

from inpainting.errors import InputError
from inpainting.metrics.base import columns_of
from inpainting.metrics.columns import as_plain
from inpainting.metrics.reconstruction import Reconstruction
from inpainting.reporting.build import report
from inpainting.reporting.human import Judged, Panel
from inpainting.reporting.rows import tables_of_rows
from inpainting.runs.collect import collect
from inpainting.score import parse
from inpainting.scoring.items import find_completions
from inpainting.scoring.order import Session, order
from inpainting.scoring.scores import append_score, read_scores

ROWS = ("mse_adv_10", "batch_256", "phases_253")


def write_run(
    folder: Path, row: str | None, seed: int, count: int, width: int = 0, mask_hash: str = "h"
) -> None:
    """A finished run: its completions depend on the row, seed and width, the targets do not."""
    images = folder / "images" / "test"
    images.mkdir(parents=True)
    config = f"row: {row or 'null'}\nname: a_name\nseed: {seed}\nmodel: {{width: {width}}}\n"
    (folder / "config.yaml").write_text(config)
    columns = as_plain({"psnr": columns_of([Reconstruction()])["psnr"]})
    details = {"method": "m", "mask_hash": mask_hash, "n": 1, "epochs": 1, "columns": columns}
    (folder / "metrics.json").write_text(json.dumps(details))
    psnr = hash_of(row) + seed + width
    (folder / "per_image.csv").write_text(f"file,index,psnr\na.png,0,{psnr}\n")
    for index in range(count):
        ramp = np.add.outer(np.arange(32), np.arange(32)) * (3 - index % 2)
        target = np.stack([ramp, np.full((32, 32), 20 * index), ramp.T[::-1]], 2).astype(np.uint8)
        completion = target.copy()
        completion[8:18, 10:20] = 40 + 30 * (hash_of(row) % 5) + seed + width
        alpha = np.full((32, 32, 1), 255, np.uint8)
        alpha[8:18, 10:20] = 0
        masked = np.concatenate([np.where(alpha, target, 0), alpha], 2)
        for kind, pixels in {"target": target, "completion": completion, "masked": masked}.items():
            Image.fromarray(pixels).save(images / f"{index:05d}_{kind}.png")


def hash_of(row: str | None) -> int:
    return sum(map(ord, str(row)))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three rows of four images, and a job that failed."""
    folder = tmp_path / "outputs" / "sweeps" / "table"
    for row in ROWS:
        write_run(folder / f"{row}-seed0", row, 0, 4)
    (folder / "gap-seed0").mkdir()
    (folder / "gap-seed0" / "config.yaml").write_text("row: gap\nname: a_name\nseed: 0\n")
    return folder


@pytest.fixture
def client(sweep: Path) -> Iterator:
    """Flask's own client of the sweep's page."""
    server = pytest.importorskip("inpainting.scoring.server", reason="the page needs Flask")
    completions, _ = find_completions([str(sweep)])
    app = server.make_app(lambda who: order(completions, who, 0.1, 0.1), report="REPORT sweep")
    with app.test_client() as one:
        yield one


def score(client, item: str, local: int, whole: int, who: str = "anna") -> dict:
    content = {"item": item, "local": local, "global": whole}
    answer = client.post(f"/score?scorer={who}", json=content)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def state(client, who: str = "anna", item: str = "") -> dict:
    return client.get(f"/state?scorer={who}&item={item}").get_json()


def test_a_test_saves_the_same_single_images_whatever_fills_them(trained: Path) -> None:
    folder = trained / "images" / "test"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{index:05d}_{kind}.png"
        for index in range(10)
        for kind in ("completion", "masked", "target")
    ]
    for index in range(10):
        target, masked, completion = (
            np.asarray(Image.open(folder / f"{index:05d}_{kind}.png"))
            for kind in ("target", "masked", "completion")
        )
        assert target.shape == completion.shape == (32, 32, 3) and masked.shape == (32, 32, 4)
        hole = masked[..., 3] == 0
        assert set(np.unique(masked[..., 3])) == {0, 255} and 100 <= hole.sum() <= 169
        assert (completion[~hole] == target[~hole]).all()
        assert (masked[~hole, :3] == target[~hole]).all() and not masked[hole].any()
        assert (completion[hole] != target[hole]).any()
    # Of single runs, too, and it has a name where it has no row.
    completions, left_out = find_completions([str(trained)])
    assert {item.row for item in completions} == {"glcic"} and not left_out


def test_another_method_on_the_same_holes_saves_elsewhere(command: Callable[..., None]) -> None:
    small = ["data=photos", "data.image_size=32", "data.patches=[4,4,6]", "trainer=cpu"]
    small += ["callbacks.progress=null", "hydra.run.dir=run", "callbacks.images.count=3"]
    command("evaluate", "model=mean_fill", "against=[telea]", *small)
    first, other = (
        {path.name: path.read_bytes() for path in Path(folder, "images/test").iterdir()}
        for folder in ("run", "run/against/telea")
    )
    assert len(first) == 9 and first.keys() == other.keys()
    for name, content in first.items():
        assert (content == other[name]) == ("completion" not in name), name
    completions, _ = find_completions(["run"])
    assert {item.name[1:3] for item in completions} == {("mean_fill", 0), ("telea", 0)}


def test_order_is_a_scorers_own_and_mixes_in_targets_and_duplicates(tmp_path: Path) -> None:
    for row in ROWS:
        for seed in range(4):
            write_run(tmp_path / f"{row}-seed{seed}", row, seed, 10)
    completions, _ = find_completions([str(tmp_path)])
    assert len(completions) == 120
    anna = order(completions, "anna", 0.1, 0.1)
    # Twelve duplicates; of the targets, which all runs share, each one once.
    assert Counter(i.kind for i in anna) == {"completion": 120, "target": 10, "duplicate": 12}
    assert len({item.shown.read_bytes() for item in anna if item.kind == "target"}) == 10
    assert anna == order(completions[::-1], "anna", 0.1, 0.1)
    bert = order(completions, "bert", 0.1, 0.1)
    assert [i.name for i in anna if i in bert] != [i.name for i in bert if i in anna]
    for place, item in enumerate(anna):
        if item.kind == "duplicate":
            firsts = [i for i in anna[:place] if i.name[1:] == item.name[1:]]
            assert any(i.kind == "completion" and place - anna.index(i) > 20 for i in firsts)
    # Shuffled: whoever scores a third has met every row in fair parts.
    third = Counter(item.row for item in anna[:40])
    assert all(third[row] >= 5 for row in ROWS)
    plain = order(completions, "anna", 0, 0)
    assert len(plain) == 120
    # The order of what is left stays when more runs finish.
    some = [item for item in completions if item.seed < 2]
    assert [item for item in plain if item in some] == order(some, "anna", 0, 0)


def test_scores_are_kept_as_given_and_the_last_one_counts(client, sweep: Path) -> None:
    first = state(client)
    assert (first["number"], first["scored"], first["total"]) == (1, 0, 12 + 2 + 2)
    assert first["previous"] is None
    second = score(client, first["item"], 3, 10)
    assert second["number"] == 2 and second["previous"] == first["item"] != second["item"]
    score(client, second["item"], 5, 6)
    again = state(client, item=first["item"])
    assert (again["number"], again["local"], again["global"]) == (1, 3, 10)
    third = score(client, first["item"], 4, 9)
    assert third["number"] == 3 and third["item"] not in (first["item"], second["item"])
    lines = read_scores(sweep / "scores" / "anna.csv")
    assert [(one.item, one.local_score, one.global_score) for one in lines] == [
        (0, 3, 10),
        (1, 5, 6),
        (0, 4, 9),
    ]
    assert lines[0].shown == lines[2].shown and lines[0].row in ROWS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", lines[0].time)
    # Another scorer starts at the first image of another order, in a file of his own.
    assert state(client, "bert")["scored"] == 0
    assert not (sweep / "scores" / "bert.csv").exists()


def test_scoring_goes_on_after_more_runs_have_finished(sweep: Path) -> None:
    def progress() -> Session:
        completions, _ = find_completions([str(sweep)])
        return Session("anna", order(completions, "anna", 0.1, 0.1))

    before = progress()
    tokens = list(before.items)[:7]
    for token in tokens:
        before.record(token, 2, 3)
    write_run(sweep / "later-seed0", "later", 0, 4)
    after = progress()
    # What of the targets and duplicates is mixed in depends on all completions.
    kept = [token for token in tokens if token in after.items]
    assert list(after.given()) == kept
    assert all(before.items[token].kind != "completion" for token in set(tokens) - set(kept))
    fresh = next(token for token in after.items if token not in after.given())
    after.record(fresh, 1, 1)
    assert [one.item for one in read_scores(sweep / "scores" / "anna.csv")] == [*range(8)]


def test_everything_is_scored_once_and_then_the_page_says_thanks(client, sweep: Path) -> None:
    now = state(client)
    while now["item"]:
        now = score(client, now["item"], 5, 5)
    assert now["report"] == "REPORT sweep" and now["scored"] == 16
    kinds = Counter(one.kind for one in read_scores(sweep / "scores" / "anna.csv"))
    assert kinds == {"completion": 12, "target": 2, "duplicate": 2}
    assert state(client)["item"] is None


def test_nothing_sent_to_the_browser_tells_the_row_or_kind(client, sweep: Path) -> None:
    page = client.get("/?scorer=anna")
    now = state(client)
    telling = re.compile("|".join([*ROWS, "seed", "completion|target|duplicate", "png"]))
    for _ in range(16):
        sent = [client.get(f"/image/{now['item']}/{w}?scorer=anna") for w in ("shown", "hole")]
        assert all(one.status_code == 200 and one.mimetype == "image/png" for one in sent)
        headers = "".join(str(one.headers).replace("image/png", "") for one in sent)
        assert not telling.search(headers) and "Last-Modified" not in headers
        assert not telling.search(str(now))
        now = score(client, now["item"], 1, 1)
    assert not telling.search(page.text.lower().replace("score completions", ""))


def test_images_are_the_ones_that_are_written_down(client, sweep: Path) -> None:
    now = state(client)
    files = {}
    while now["item"]:
        shown = client.get(f"/image/{now['item']}/shown?scorer=anna").data
        now = score(client, now["item"], 5, 5)
        one = read_scores(sweep / "scores" / "anna.csv")[-1]
        what = "target" if one.kind == "target" else "completion"
        path = sweep / f"{one.row}-seed0" / "images" / "test" / f"{one.index:05d}_{what}.png"
        assert shown == path.read_bytes()
        files[one.kind] = path
    assert set(files) == {"completion", "target", "duplicate"}


@pytest.mark.parametrize(
    "marks", [(0, 5), (11, 5), (5, None), ("5", 5), (True, 5), (5.5, 5), (5, -1)]
)
def test_what_is_no_score_is_refused(client, sweep: Path, marks: tuple) -> None:
    content = {"item": state(client)["item"], "local": marks[0], "global": marks[1]}
    answer = client.post("/score?scorer=anna", json=content)
    assert answer.status_code == 400 and "from 1 to 10" in answer.get_json()["error"]
    assert not (sweep / "scores").exists()


@pytest.mark.parametrize("body", ["[]", "null", "3", '"x"', '{"item": []}', '{"item": {}}', "{"])
def test_a_malformed_body_is_refused(client, sweep: Path, body: str) -> None:
    answer = client.post("/score?scorer=anna", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert not (sweep / "scores").exists()


def test_a_large_body_is_refused_unread(client) -> None:
    body = '{"item": "' + 20_000 * "x" + '"}'
    answer = client.post("/score?scorer=anna", data=body, content_type="application/json")
    assert answer.status_code == 413


def test_a_torn_last_line_is_scored_again(client, sweep: Path) -> None:
    first = state(client)["item"]
    score(client, score(client, first, 5, 6)["item"], 7, 8)
    path = sweep / "scores" / "anna.csv"
    path.write_bytes(path.read_bytes()[:-20])
    assert [one.local_score for one in read_scores(path)] == [5]
    append_score(path, read_scores(path)[0])
    assert [one.local_score for one in read_scores(path)] == [5, 5]


def test_other_sites_cannot_score_or_read(client, sweep: Path) -> None:
    item = state(client)["item"]
    content = {"item": item, "local": 1, "global": 1}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ):
        assert client.post("/score?scorer=anna", json=content, headers=headers).status_code == 403
    # A form of another site, in a browser that names no origin.
    assert client.post("/score?scorer=anna", data=content).status_code == 415
    assert client.get("/state?scorer=anna", headers={"Host": "evil.example"}).status_code == 403
    assert not (sweep / "scores").exists()
    own = {"Origin": "http://localhost"}
    assert client.post("/score?scorer=anna", json=content, headers=own).status_code == 200


def test_a_name_that_is_no_file_name_is_asked_for_again(client, sweep: Path) -> None:
    for name in ("../anna", "a/b", ".hidden", "", " "):
        page = client.get("/", query_string={"scorer": name})
        assert "Who is scoring?" in page.text
        assert ("it becomes a file" in page.text) == bool(name.strip())
    assert not (sweep / "scores").exists()


def test_bad_input_is_one_sentence(failure: Callable[..., str], sweep: Path) -> None:
    table = str(sweep)
    assert "there is no such folder" in failure("score", "nowhere")
    assert "callbacks.images.count=16" in failure("score", str(sweep / "gap-seed0"))
    assert "pqrt=1" in failure("score", table, "pqrt=1")
    assert "port=many" in failure("score", table, "port=many")
    assert "port=70000" in failure("score", table, "port=70000")
    assert "targets=2" in failure("score", table, "targets=2")
    assert "scorer='a/b'" in failure("score", table, "scorer=a/b")


def score_all(folders: list[Path], points: Callable[[Path], int], who: str = "anna") -> None:
    """One person's way through all completions, with the points of a run's folder."""
    completions, _ = find_completions([str(folder) for folder in folders])
    progress = Session(who, order(completions, who, 0, 0))
    for token, item in progress.items.items():
        if token not in progress.given():
            progress.record(token, points(item.folder), points(item.folder))
    assert len(progress.given()) == len(progress.items)


def judged(*folders: Path) -> tuple[dict[Path, Judged | None], list[str]]:
    """What the report of these folders knows of each run, and what it says of scores."""
    measured, _ = collect([str(folder) for folder in folders])
    rows = [row for table in tables_of_rows(measured).values() for row in table]
    panel = Panel([*folders, *(run.folder for run in measured)])
    return {row.runs[0].folder: panel.of(row) for row in rows}, panel.notes()


def write_widths(folder: Path) -> list[Path]:
    """A sweep of two runs that share name and seed."""
    runs = [folder / "0", folder / "1"]
    for run, width in zip(runs, (8, 16), strict=True):
        write_run(run, None, 0, 4, width)
    return runs


def test_runs_of_one_name_and_seed_are_scored_together_and_each_for_itself(tmp_path: Path) -> None:
    narrow, wide = write_widths(tmp_path / "widths")
    # One method under another mask, in a folder of its own.
    write_run(tmp_path / "half", None, 0, 4, 24, mask_hash="half")
    points = {narrow: 3, wide: 8, tmp_path / "half": 5}
    folders = [tmp_path / "widths", tmp_path / "half"]
    score_all(folders, points.__getitem__)
    score_all(folders, lambda run: points[run] - 1, "bert")
    lines = read_scores(tmp_path / "widths/scores/anna.csv")
    assert Counter((one.row, one.seed, one.folder) for one in lines) == {
        ("a_name", 0, "0"): 4,
        ("a_name", 0, "1"): 4,
    }
    assert [one.folder for one in read_scores(tmp_path / "half/scores/anna.csv")] == ["."] * 4
    found, notes = judged(*folders)
    assert not notes and found.keys() == points.keys()
    for run, one in found.items():
        assert (one.local_score, one.number, one.scorers) == (points[run] - 0.5, 8, 2)


def test_a_run_and_its_own_evaluation_are_scored_together(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "evaluate"
    write_run(run, "base", 0, 4, 8)
    write_run(other, "base", 0, 4, 9, mask_hash="other")
    config = "row: null\nname: evaluate\nseed: 0\ncheckpoint: last\nmodel: {width: 8}\n"
    (other / "config.yaml").write_text(config)
    details = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(details | {"run": str(run)}))
    score_all([run, other], {run: 2, other: 7}.__getitem__)
    found, _ = judged(run, other)
    assert {run: one.local_score for run, one in found.items()} == {run: 2, other: 7}


def test_the_same_image_is_scored_once_and_counts_wherever_it_lies(tmp_path: Path) -> None:
    later, first = tmp_path / "a-later", tmp_path / "b-first"
    write_run(first, "base", 0, 4, 8)
    score_all([tmp_path], lambda run: 6)
    # As where every job of a sweep tests the same classical fill.
    shutil.copytree(first, later)
    (later / "per_image.csv").write_text("file,index,psnr\na.png,0,1\n")
    completions, left_out = find_completions([str(tmp_path)])
    assert len(completions) == 4 and f"the same images as in {later}" in left_out[first]
    score_all([tmp_path], lambda run: 1)  # nothing is left to be scored
    found, notes = judged(tmp_path)
    assert not notes and len(found) == 2
    assert [(one.local_score, one.number) for one in found.values()] == [(6, 4)] * 2


def test_scores_of_images_that_are_gone_do_not_count_for_what_came_after(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for seed in range(2):
        write_run(sweep / f"base-seed{seed}", "base", seed, 4, 8)
    score_all([sweep], lambda run: 9)
    score_all([sweep], lambda run: 9, "bert")
    shutil.rmtree(sweep / "base-seed0")
    write_run(sweep / "base-seed0", "base", 0, 4, 80)
    found, notes = judged(sweep)
    assert found[sweep / "base-seed0"] is None
    assert found[sweep / "base-seed1"].number == 8
    assert notes == [
        "Scores of images that no longer exist, because their run was deleted or repeated, are "
        "left out: 4 by anna, 4 by bert."
    ]
    report([str(sweep)], tmp_path / "out", metrics=["psnr"])
    for name in ("table.md", "report.html"):
        assert notes[0] in (tmp_path / "out" / name).read_text()
    # They are asked for again, and a folder may have another name.
    score_all([sweep], lambda run: 2)
    (sweep / "base-seed0").rename(sweep / "renamed")
    found, notes = judged(sweep)
    assert (found[sweep / "renamed"].local_score, found[sweep / "renamed"].number) == (2, 4)
    assert "left out: 4 by anna, 4 by bert." in notes[0]


def test_another_hole_makes_another_image_of_the_same_completion(tmp_path: Path) -> None:
    write_run(tmp_path, "base", 0, 1)
    before = find_completions([str(tmp_path)])[0][0].image
    masked = tmp_path / "images" / "test" / "00000_masked.png"
    Image.open(masked).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(masked)
    assert find_completions([str(tmp_path)])[0][0].image != before


def test_options_and_folders_are_told_apart() -> None:
    folders, options = parse(["a", "scorer=Žofia", "out/b=1", "port=0", "duplicates=0"])
    assert folders == ["a", "out/b=1"]
    assert (options.scorer, options.port, options.duplicates) == ("Žofia", 0, 0.0)
    assert options.host == "127.0.0.1"


def test_help_answers_without_torch() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "inpainting.score", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "scorer=NAME" in shown.stdout and "torch.nn" not in shown.stderr


def test_a_scorers_name_stays_in_the_folder(sweep: Path) -> None:
    completions, _ = find_completions([str(sweep)])
    with pytest.raises(InputError, match="scorer="):
        Session("../anna", completions)


@contextmanager
def serve(*words: str) -> Iterator[tuple[subprocess.Popen, str, list[str]]]:
    """The real server on a free port, its address, and what it said."""
    pytest.importorskip("flask", reason="the page needs Flask")
    command = [sys.executable, "-m", "inpainting.score", *words, "port=0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # where this suite runs in the background, its children would ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as server:
        lines = []
        for line in server.stdout:
            lines.append(line)
            if found := re.search(r"Open (http://\S+)", line):
                break
        else:
            pytest.fail(server.stderr.read())
        yield server, found.group(1), lines
        server.kill()


@pytest.fixture
def served(sweep: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The server of the sweep, and its address."""
    with serve(str(sweep)) as (server, address, lines):
        assert "12 completions of 3 runs" in lines[0]
        assert re.search("Left out: .*gap-seed0", lines[1])
        yield server, address


def test_server_listens_on_loopback_only_and_ctrl_c_ends_it(served, sweep: Path) -> None:
    server, address = served
    port = int(address.rsplit(":", 1)[1].strip("/"))
    assert address == f"http://127.0.0.1:{port}/"
    hexed = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert [one for one in hexed if one.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    busy = [sys.executable, "-m", "inpainting.score", str(sweep), f"port={port}"]
    second = subprocess.run(busy, capture_output=True, text=True)
    assert second.returncode == 2 and second.stderr.startswith(f"error: host=127.0.0.1 port={port}")
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0 and server.stderr.read() == ""


@pytest.fixture
def browser() -> Iterator:
    """A real browser without a window."""
    with chromium() as driver:
        yield driver


def test_scoring_in_a_real_browser(browser, served, sweep: Path, tmp_path: Path) -> None:
    server, address = served
    scores = sweep / "scores" / "anna.csv"
    find = browser.find_element

    def shows(text: str) -> bool:
        return find("id", "progress").text == text

    def press(*keys: str) -> None:
        for key in keys:
            find("css selector", "body").send_keys(key)

    def given() -> list[tuple[int, int, int]]:
        return [(one.item, one.local_score, one.global_score) for one in read_scores(scores)]

    browser.get(address)
    find("id", "scorer").send_keys("anna\n")
    wait_for(lambda: shows("1 of 16"))
    wait_for(lambda: find("id", "shown").size["width"] == 11 * 32)  # a whole factor
    browser.save_screenshot(str(tmp_path / "first.png"))
    press("3", "0")  # keys: local, then global
    wait_for(lambda: shows("2 of 16"))
    find("css selector", "#global [data-mark='6']").click()  # clicks, in any order
    find("css selector", "#local [data-mark='1']").click()
    wait_for(lambda: shows("3 of 16"))
    press("4")
    browser.save_screenshot(str(tmp_path / "half.png"))
    press("\ue003")  # Backspace takes back the half score, then goes one image back
    assert not browser.find_elements("css selector", "[aria-pressed=true]")
    press("\ue003")
    wait_for(lambda: shows("2 of 16"))
    browser.save_screenshot(str(tmp_path / "back.png"))
    marked = browser.find_elements("css selector", "button.before")
    assert [button.text for button in marked] == ["1", "6"]
    press("2", "7")
    wait_for(lambda: shows("3 of 16"))
    assert given() == [(0, 3, 10), (1, 1, 6), (1, 2, 7)]
    shown = find("id", "shown").get_attribute("src")
    browser.refresh()
    wait_for(lambda: shows("3 of 16"))
    assert find("id", "shown").get_attribute("src") == shown
    for number in range(3, 17):
        wait_for(lambda number=number: shows(f"{number} of 16"))
        press(str(number % 10), "5")
    wait_for(lambda: find("id", "thanks").is_displayed())
    assert f"python -m inpainting.report {sweep}" in find("id", "report").text
    browser.save_screenshot(str(tmp_path / "thanks.png"))
    assert len(given()) == 17 and len(set(read_scores(scores))) == 17
    with open(scores, newline="") as file:
        assert {line["kind"] for line in csv.DictReader(file)} == {
            "completion",
            "target",
            "duplicate",
        }
    # Blind: neither an address that was asked for nor the page itself tells a row or a kind.
    traffic = str(browser.get_log("performance")) + browser.page_source.replace(str(sweep), "")
    traffic = traffic.lower().replace("score completions", "")
    assert "/image/" in traffic and "/state" in traffic
    assert not re.search("|".join([*ROWS, "seed0", "target.png", "duplicate", "kind="]), traffic)
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    # The server is gone: the page says so, and nothing is lost.
    press("\ue003")
    wait_for(lambda: not find("id", "thanks").is_displayed() and shows("16 of 16"))
    server.kill()
    server.wait()
    press("1", "1")
    wait_for(lambda: "not saved" in find("id", "message").text)
    assert len(given()) == 17


def test_two_runs_of_one_name_from_the_browser_to_the_report(browser, tmp_path: Path) -> None:
    runs = write_widths(tmp_path / "widths")
    files = {
        path.read_bytes(): run for run in runs for path in run.glob("images/test/*_completion.png")
    }
    find, fetched = browser.find_element, Counter()
    with serve(str(tmp_path / "widths"), "scorer=anna", "targets=0", "duplicates=0") as (_, url, _):
        browser.get(url)
        for number in range(1, 9):
            wait_for(lambda number=number: find("id", "progress").text == f"{number} of 8")
            with urlopen(find("id", "shown").get_attribute("src")) as answer:
                run = files[answer.read()]
            fetched[run] += 1
            for key in {runs[0]: "24", runs[1]: "79"}[run]:
                find("css selector", "body").send_keys(key)
        wait_for(lambda: find("id", "thanks").is_displayed())
    assert fetched == dict.fromkeys(runs, 4)
    report([str(tmp_path / "widths")], tmp_path / "out", metrics=["psnr"])
    with open(tmp_path / "out" / "table.csv", newline="") as file:
        lines = {line["row"]: line for line in csv.DictReader(file)}
    names = ("human_local", "human_global", "human_scores")
    assert {row: [float(line[name]) for name in names] for row, line in lines.items()} == {
        "a_name (width=8)": [2, 4, 4],
        "a_name (width=16)": [7, 9, 4],
    }
