"""The images of a folder with links in it: each is listed once, and nothing hangs."""

import os
from pathlib import Path

import pytest

from inpainting.errors import InputError
from inpainting.images.listing import each_once, list_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("b/x.png", "b/deep/y.png", "a/z.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_images(folder)]


def test_links_into_the_folder_list_nothing_twice_and_do_not_hang(folder: Path) -> None:
    plain = names(folder)
    (folder / "a/all").symlink_to(folder)
    (folder / "b/all").symlink_to(folder)
    (folder / "a/again").symlink_to(folder / "b")
    (folder / "0").symlink_to(folder / "b/deep")
    assert names(folder) == plain == ["a/z.png", "b/deep/y.png", "b/x.png"]


def test_a_folder_elsewhere_is_listed_by_its_first_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/w.png").touch()
    for link in ("c", "b/c"):
        (folder / link).symlink_to(tmp_path / "elsewhere")
    assert names(folder) == ["a/z.png", "b/c/w.png", "b/deep/y.png", "b/x.png"]


def test_a_link_that_leads_nowhere_and_a_pipe_are_named(folder: Path) -> None:
    (folder / "a/gone.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"a/gone\.png is a link to nowhere\.png.*mend or delete"):
        list_images(folder)
    (folder / "a/gone.png").unlink()
    os.mkfifo(folder / "a/pipe.png")
    with pytest.raises(InputError, match=r"a/pipe\.png is a pipe"):
        list_images(folder)


def test_a_data_set_takes_each_file_once_and_says_so(folder: Path, caplog) -> None:
    (folder / "a/linked.png").symlink_to(folder / "b/x.png")
    os.link(folder / "b/deep/y.png", folder / "b/hard.png")
    kept = [path.relative_to(folder).as_posix() for path in each_once(list_images(folder))]
    assert kept == ["a/z.png", "b/deep/y.png", "b/x.png"]
    assert "2 of 5 names" in caplog.text and "a/linked.png" in caplog.text
