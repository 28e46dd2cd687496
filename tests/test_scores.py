"""Scores by eye: what is appended comes back, and what is not a score is named by its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from inpainting.errors import InputError
from inpainting.scoring.scores import (
    COLUMNS,
    Score,
    append_score,
    latest,
    read_all_scores,
    read_scores,
    score_path,
)

ONE = Score("2026-01-31T12:00:00", 0, "completion", "mse_adv, 10:1", 0, 7, 3, 6, "a, b-seed0", "1f")


def test_scores_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = [ONE, replace(ONE, item=1, kind="target", local_score=10), replace(ONE, item=2)]
    for score in given:
        append_score(score_path(tmp_path, "ann"), score)
    assert read_all_scores(tmp_path) == {"ann": given}
    assert (tmp_path / "scores/ann.csv").read_text().count(",".join(COLUMNS)) == 1
    assert read_scores(tmp_path / "scores/bob.csv") == []


def test_a_correction_counts_and_a_duplicate_stands_beside_it() -> None:
    again, twin = replace(ONE, item=5, local_score=9), replace(ONE, item=6, kind="duplicate")
    assert latest([ONE, twin, again]) == [again, twin]
    # What another run drew is another image, whatever the run is called.
    other = replace(ONE, item=7, folder="b-seed0", image="2e")
    assert latest([ONE, other]) == [ONE, other]


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("now,0,completion,base,0,0,0,5,a,1f", "local=0: a score is from 1 to 10"),
        ("now,0,completion,base,0,0,5,high,a,1f", "global='high' is not a whole number"),
        (
            "now,0,guess,base,0,0,5,5,a,1f",
            "kind='guess' is not one of completion, target, duplicate",
        ),
        ("now,0,completion,base,0", "5 values where there are 10 columns"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    append_score(score_path(tmp_path, "ann"), ONE)
    with open(tmp_path / "scores/ann.csv", "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=r"ann\.csv, line 3: ") as raised:
        read_scores(tmp_path / "scores/ann.csv")
    assert sentence in str(raised.value)


def test_another_file_is_no_file_of_scores(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,psnr\n")
    with pytest.raises(InputError, match=r"a\.csv, line 1: the columns are not time,item"):
        read_scores(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["../ann", "", "a/b", "a b"])
def test_a_scorers_name_is_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="type a name of letters"):
        score_path(tmp_path, name)
