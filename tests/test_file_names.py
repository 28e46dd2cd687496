"""File names work as they are typed, and what Hydra reads is what was typed."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from inpainting.runs.file_names import unquoted, with_quotes

PARSER = OverridesParser.create()
NAMES = ["Möwe.png", "IMG (1).png", "a,b.png", "it's.png", "日本.png", "[x].png", "{a}.png", "123"]
NAMES += [
    "true",
    "1.5",
    "~/x",
    "a=b.png",
    'say "hi".png',
    "back\\slash",
    "end\\",
    "x#1.png",
    "a: b",
]
NAMES += ["50%.png", "$HOME.png", "ü/ c;d.png", "a\tb.png", "[a] b.png", "plain.png", "two words"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["input", "data.root", "+mask.path"])
def test_a_file_name_arrives_as_it_is_typed(key: str, name: str) -> None:
    (text,) = with_quotes([f"{key}={name}"])
    assert PARSER.parse_override(text).value() == name
    assert unquoted(text.partition("=")[2]) == name
    assert with_quotes([text]) == [text]  # further processes get the same command line


def test_what_means_something_else_is_left_as_it_is() -> None:
    typed = ["seed=0,1", "model.width=16", "input=null", "out=", "~logger", "--cfg", "job"]
    typed += ["tests.mine=['mask=half']", "hydra.run.dir=outputs/x", "'-m'", "model.x=choice(1,2)"]
    typed += ['input="a b.png"', "root='a, b'", "data.root=${oc.env:HOME}/x", "against=[telea,run]"]
    assert with_quotes(typed) == typed


@pytest.mark.parametrize("sweep", ["-m", "sweep=glcic_table"])
def test_a_sweep_over_folders_is_still_one(sweep: str) -> None:
    _, text = with_quotes([sweep, "run=outputs/a,outputs/Möwe (1)"])
    override = PARSER.parse_override(text)
    assert override.is_sweep_override()
    values = [str(value).strip('"') for value in override.sweep_string_iterator()]
    assert values == ["outputs/a", "outputs/Möwe (1)"]


def test_names_in_a_list_are_quoted_one_by_one() -> None:
    (text,) = with_quotes(["against=[telea,Möwe (1)]"])
    assert PARSER.parse_override(text).value() == ["telea", "Möwe (1)"]


def test_photos_of_any_name_are_filled(command, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (20, 20), "grey").save(tmp_path / "Möwe, it's (1).png")
    hole = Image.new("L", (20, 20))
    hole.putpixel((5, 5), 255)
    hole.save(tmp_path / "日本.png")
    typed = ["input=Möwe, it's (1).png", "masks=日本.png", "out=gefüllt, a"]
    command("predict", "model=telea", "trainer=cpu", *typed)
    assert (tmp_path / "gefüllt, a" / "Möwe, it's (1).png").is_file()
