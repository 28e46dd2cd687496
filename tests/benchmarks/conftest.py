"""Every benchmark's line as it is measured, and a table of all of them at the end."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from interleaved import Spread

sys.path.append(str(Path(__file__).parents[1]))  # helpers that the tests share

ROWS = pytest.StashKey[list[tuple[str, str, str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Note a measurement and its goal; the test fails at its end if a goal was missed."""
    missed = []

    def note(
        what: str,
        spread: Spread,
        at_least: float | None = None,
        at_most: float | None = None,
        unit: str = "x",
        digits: int = 2,
    ) -> None:
        values = [f"{value:.{digits}f}" for value in spread]
        goal, met = "none", True
        if at_least is not None:
            goal, met = f"at least {at_least:g}{unit}", spread.median >= at_least
        if at_most is not None:
            goal, met = f"at most {at_most:g}{unit}", spread.median <= at_most
        measured = f"{values[0]}{unit}", f"{values[1]} to {values[2]}"
        print(f"\n{what}: {measured[0]} ({measured[1]}), goal: {goal}")
        verdict = "" if met else "  MISSED"
        request.config.stash[ROWS].append((what, *measured, goal + verdict))
        if not met:
            missed.append(what)

    yield note
    assert not missed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = terminalreporter.config.stash[ROWS]
    if not rows:
        return
    rows = [("what", "median", "min to max", "goal"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    terminalreporter.section("benchmarks")
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line(line.rstrip())
