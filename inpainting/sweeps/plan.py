"""A sweep's beginning and end: all its jobs are looked at before the first, and tabled at the end.

What happens between is Hydra's multirun; see `jobs` for what one job does.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from inpainting.errors import InputError, one_sentence
from inpainting.runs.arguments import quoted
from inpainting.runs.folder import status
from inpainting.runs.settings import check_same, differing, settings


class Sweep(Callback):
    """Hydra's callback of a training; it does nothing in a run alone."""

    def __init__(self) -> None:
        self.began = time.time()
        self.folders: list[Path] | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep that could not be trained to its end, or would compare nothing.

        Raises:
            SystemExit: after one sentence, see `check_jobs`.
        """
        if not _trains(config):
            return
        with one_sentence():
            if config.resume is not None:
                raise InputError(
                    f"resume={config.resume} goes on with one run: leave out -m and sweep=…; "
                    "a sweep goes on by itself where the same command is typed again"
                )
            _point(config)
            jobs = planned(config)
            check_jobs(jobs)
            keep_together(config, jobs)
        self.folders = [job.folder for job in jobs] or None

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table; exit with status 1 where a job is not finished."""
        if not _trains(config):
            return
        from inpainting.sweeps.table import print_jobs  # rich: not for --help

        folder = Path(config.hydra.sweep.dir)
        jobs = self.folders or sorted(path.parent for path in folder.glob("*/.hydra"))
        try:
            print_jobs(jobs, folder, self.began)
        finally:  # Hydra only warns of what goes wrong in a callback
            if any(status(job) != "finished" for job in jobs):
                sys.exit(1)


def _point(config: DictConfig) -> None:
    """Tell a search such as Optuna's which end of the monitored number is better.

    Raises:
        InputError: see `better_end`.
    """
    sweeper = config.hydra.sweeper
    if "direction" not in sweeper or sweeper.direction is not None:
        return
    from inpainting.metrics.base import columns_of  # torch: not for --help
    from inpainting.metrics.columns import LOSS, better_end, named

    metrics = instantiate(config.metrics, _convert_="all")
    measured = columns_of(metric for metric in metrics.values() if metric is not None)
    end = better_end(config.monitor, named([*measured.values(), LOSS]))
    with read_write(config):
        sweeper.direction = f"{end}imize"


def _trains(config: DictConfig) -> bool:
    """Whether the command is train: the configurations of others are made from its own."""
    return config.hydra.job.config_name == "train"


@dataclass
class Job:
    """A job that a sweep is going to run, with what its numbers follow from."""

    folder: Path
    sweep: Path
    row: str
    compared_with: str | None
    settings: dict[str, Any]


def planned(config: DictConfig) -> list[Job]:
    """All jobs in their order; none where a sweeper such as Optuna finds them one by one."""
    sweeper = config.hydra.sweeper
    if not sweeper._target_.endswith(".BasicSweeper"):
        return []
    loader = GlobalHydra.instance().config_loader()
    parameters = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(
        [*parameters, *config.hydra.overrides.task]
    )
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    configs = [loader.load_sweep_config(config, typed) for typed in jobs]
    together = _together([Path(one.hydra.sweep.dir) for one in configs])
    return [_job(one, number, together) for number, one in enumerate(configs)]


def _together(folders: list[Path]) -> Path:
    """One folder for a sweep whose jobs, having other names each, would lie in several."""
    distinct = list(dict.fromkeys(folders))
    if len(distinct) == 1:
        return distinct[0]
    return distinct[0].with_name("-".join(folder.name for folder in distinct))


def keep_together(config: DictConfig, jobs: list[Job]) -> None:
    """Hold all jobs to one folder: by itself Hydra names it anew for each."""
    folder = jobs[0].sweep if jobs else config.hydra.sweep.dir
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(folder)
        config.hydra.overrides.hydra.append(quoted("hydra.sweep.dir", folder))


def _job(config: DictConfig, number: int, together: Path) -> Job:
    with _running(config, number, together) as folder:
        row = config.row or config.name
        job = Job(folder, together, row, config.compared_with, settings(config))
        check_same(config, folder)
    return job


@contextmanager
def _running(config: DictConfig, number: int, together: Path) -> Iterator[Path]:
    """What `hydra:` means is what it is going to mean while this job runs."""
    subdir = str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"])
    if "${row}" in subdir and config.row is None:
        experiment = config.hydra.runtime.choices.experiment
        raise InputError(
            f"experiment={experiment} is no row of this table, so its folder has no name: type "
            f"row=NAME with it, or -m experiment={experiment} without sweep=…"
        )
    with read_write(config), open_dict(config):
        config.hydra.job.num = number
        config.hydra.sweep.dir = str(together)
        folder = together / config.hydra.sweep.subdir
        config.hydra.runtime.output_dir = str(folder.absolute())
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        yield folder
    finally:
        HydraConfig.instance().cfg = before


def check_jobs(jobs: list[Job]) -> None:
    """Refuse jobs of one folder, and rows that are equal to what they are compared with.

    Raises:
        InputError: names the jobs and what to type.
    """
    seen: dict[Path, Job] = {}
    for job in jobs:
        if job.folder in seen:
            keys = differing(seen[job.folder].settings, job.settings) or ["nothing"]
            raise InputError(
                f"two jobs would write to {job.folder}, they differ in {keys[0]}: type a "
                f"hydra.sweep.subdir=… with it, or sweep over it in sweeps of their own name=…"
            )
        seen[job.folder] = job
    for job in jobs:
        for base in jobs:
            if base.row == job.compared_with and set(differing(base.settings, job.settings)) == {
                "row",
                "compared_with",
            }:
                raise InputError(
                    f"the row {job.row} has the settings of {base.row}, which it is compared with: "
                    "something typed replaces what makes it different; leave that out, or the row"
                )
