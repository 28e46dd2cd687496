"""Runs entry points in the process of a test."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra


@contextmanager
def typed_in(folder: Path) -> Iterator[Callable[..., None]]:
    """Run entry points in this process, as typed in this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("INPAINTING_CACHE", str(folder / "cache"))

        def run(name: str, *arguments: str) -> None:
            GlobalHydra.instance().clear()
            module = __import__(f"inpainting.{name}", fromlist=["main"])
            patch.setattr(sys, "argv", [f"inpainting.{name}", *arguments])
            module.main()

        yield run
