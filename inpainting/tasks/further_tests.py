"""Further tests of a finished training, such as on other holes: the key `tests`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from inpainting.errors import InputError
from inpainting.runs.arguments import own_configurations, quoted

FOLDER = "tests"  # in the folder of the run
# Variables of Lightning's further processes: the evaluation must not take itself for one of them.
DEVICES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


Tests = Mapping[str, Sequence[str] | None]


def check_tests(tests: Tests) -> None:
    """Refuse tests that are no lists of overrides.

    Raises:
        InputError: names the test.
    """
    for name, overrides in tests.items():
        if overrides is None:
            continue
        if isinstance(overrides, str) or not all("=" in str(text) for text in overrides):
            raise InputError(
                f"tests.{name}={overrides}: type a list of what evaluate gets, such as ['mask=box']"
            )


def run_tests(tests: Tests, folder: Path) -> None:
    """Evaluate a run as each test asks, in a process of its own, and write to its `tests/NAME`.

    An evaluation composes its own data and holes, which one process can do only once.

    Args:
        tests: overrides of `inpainting.evaluate` by the name of the test; None leaves one out
        folder: of the run, whose weights and configuration are written

    Raises:
        InputError: a test failed; it has printed why.
    """
    environment = {key: value for key, value in os.environ.items() if key not in DEVICES}
    for name, overrides in tests.items():
        if overrides is None:
            continue
        own = folder / FOLDER / name
        shutil.rmtree(own, ignore_errors=True)  # of earlier weights of a run that was resumed
        command = [sys.executable, "-m", "inpainting.evaluate", *own_configurations()]
        command += [quoted("run", folder), *overrides, quoted("hydra.run.dir", own)]
        if subprocess.run(command, env=environment).returncode:
            raise InputError(
                f"the test {name} of {folder} failed; its sentence stands above. The weights are "
                f"kept: correct tests.{name} and type resume={folder}"
            )
