"""Every value of a configuration is held to the annotation of what it is passed to."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.errors import InputError
from inpainting.runs.checked import check_part
from inpainting.runs.keys import Keys
from inpainting.values import (
    Bounds,
    Count,
    FolderName,
    NewFolder,
    Positive,
    Seed,
    Share,
    as_typed,
    describe,
    fits,
)


class Part:
    """What a user might write: nothing lists its arguments but its signature."""

    def __init__(
        self,
        *,
        width: Count,
        rate: Positive,
        mode: Literal["fast", "slow"],
        sides: Sequence[int] | None = None,
        network: Callable[..., Any] | None = None,
    ):
        self.width = width


class Derived(Part):
    """Passes on what it does not know."""

    def __init__(self, *, depth: int = 1, **options: Any):
        super().__init__(**options)


FINE = {"width": 8, "rate": 0.1, "mode": "fast"}


def part(target: type, **values: Any) -> dict[str, Any]:
    return {"_target_": f"{__name__}.{target.__name__}", **values}


@pytest.mark.parametrize("target", [Part, Derived])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"width": 2.5}, "model.width=2.5: type a whole number, 1 or more"),
        ({"width": 0}, "model.width=0: type a whole number, 1 or more"),
        ({"width": True}, "model.width=true: type a whole number, 1 or more"),
        ({"width": None}, "model.width=null: type a whole number, 1 or more"),
        ({"rate": math.nan}, "model.rate=nan: type a number above 0"),
        ({"rate": "1e-3x"}, "model.rate=1e-3x: type a number above 0"),
        ({"mode": "quick"}, "model.mode=quick: type fast or slow"),
        ({"sides": [1, "a"]}, "model.sides=[1,a]: type a list of whole numbers or null"),
        (
            {"widht": 3},
            f"model.widht: there is no such key of {__name__}.TARGET; did you mean model.width?",
        ),
        ({"network": part(Part, width=-1)}, "model.network.width=-1: type a whole number"),
        ({"network": 3}, "model.network=3: type null"),
    ],
    ids=str,
)
def test_a_new_class_needs_nothing_but_its_annotations(
    target: type, wrong: dict[str, Any], sentence: str
) -> None:
    check_part("model", part(target, **FINE))
    with pytest.raises(InputError) as refused:
        check_part("model", part(target, **(FINE | wrong)))
    assert str(refused.value).startswith(sentence.replace("TARGET", target.__name__))


def test_what_is_missing_is_named_unless_it_comes_later() -> None:
    with pytest.raises(InputError, match="model.rate is missing"):
        check_part("model", part(Part, width=8, mode="fast"))
    check_part("model", part(Part, width=8, _partial_=True))
    with pytest.raises(InputError, match="cannot be imported.*type a class by its whole name"):
        check_part("model", {"_target_": "torch.nope"})


@pytest.mark.parametrize(
    ("value", "hint", "fitting"),
    [
        (1, float, True),
        (1.0, int, False),
        (True, int, False),
        (1, bool, False),
        (math.inf, float, False),
        ("yes", bool, False),
        (2024, str, True),  # digits are read as a number
        (1, Literal["1", True], False),
        ([1, 2.5], Sequence[float], True),
        ([0.5, 0.999], tuple[Share, Share], True),
        ([0.5], tuple[Share, Share], False),
        ("abc", Sequence[str], False),
        ({"a": 1}, Mapping[str, int], True),
        ({"a": "b"}, dict[str, int], False),
        ("a.png", str | Path, True),
        (3, Path, False),
        (2**32, Seed, False),
        (2**32 - 1, Seed, True),
        (0, Positive, False),
        (0.0, Share, True),
        (3, Annotated[int, Bounds(1, 2)], False),
        (None, Count | None, True),
        (object, Any, True),
        ("x" * 101, FolderName, False),
        ("a/../b", FolderName, False),
        ("glcic/later", FolderName, True),
    ],
    ids=str,
)
def test_which_values_fit(value: Any, hint: Any, fitting: bool) -> None:
    assert fits(value, hint) is fitting


def test_an_output_folder_is_neither_a_file_nor_inside_one(tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    assert fits(str(tmp_path / "new" / "deep"), NewFolder) and fits(str(tmp_path), NewFolder)
    assert not fits(str(tmp_path / "photo.png"), NewFolder)
    assert not fits(str(tmp_path / "photo.png" / "out"), NewFolder)


def test_what_can_be_typed_is_said_in_words() -> None:
    assert describe(Share | None) == "a number from 0 to 1 or null"
    assert describe(Literal["raw", "composite"]) == "raw or composite"
    assert describe(Sequence[Count]) == "a list of whole numbers, 1 or more"
    assert describe(Callable[..., Any]) == ""
    assert as_typed([True, None, {"a": 0.5}]) == "[true,null,{a:0.5}]"


def test_every_key_at_the_top_has_an_annotation() -> None:
    for command in ("train", "evaluate", "predict", "train_classifier"):
        config = OmegaConf.to_container(OmegaConf.load(Path(CONF) / f"{command}.yaml"))
        groups = {"defaults", "paths", "hydra", "logger", "callbacks"}
        assert set(config) - groups <= set(Keys.__annotations__), command
