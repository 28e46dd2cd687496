"""The start and end of a sweep: checks all jobs before the first, and prints a table at the end.

Hydra's multirun runs the jobs in between; the module `job` says what each job does.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from inpainting.errors import InputError, one_sentence
from inpainting.runs.arguments import quoted
from inpainting.runs.checked import check_values, inside_hydra
from inpainting.runs.settings import differing, settings
from inpainting.runs.status import status
from inpainting.sweeps.job import check_same_training

log = logging.getLogger(__name__)


class Sweep(Callback):
    """The Hydra callback of `train` and `evaluate`; it does nothing in a single run."""

    def __init__(self) -> None:
        self.began = time.time()
        self.folders: list[Path] | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep that could not be run to its end or would compare nothing.

        Raises:
            SystemExit: after an error of one sentence; see `check_jobs`.
        """
        if not _sweeps(config):
            return
        with one_sentence():
            if config.resume is not None:
                raise InputError(
                    f"resume={config.resume} continues a single run: leave out -m and sweep=…; "
                    "to continue a sweep, type its command again without resume="
                )
            _set_direction(config)
            jobs = planned(config)
            check_jobs(jobs)
            keep_together(config, jobs)
        self.folders = [job.folder for job in jobs] or None

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Say which job starts, of how many, and about how long those that are left will take."""
        if self.folders is None or config.hydra.job.num >= len(self.folders):
            return
        # Imported here so that --help does not load rich.
        from inpainting.sweeps.table import outcome

        number = config.hydra.job.num
        before, after = self.folders[:number], self.folders[number:]
        ran = sum(outcome(job, self.began) != "skipped" for job in before)
        left = sum(status(job) != "finished" for job in after)
        text = f"{number + 1} of {len(self.folders)}: {after[0].name}"
        if ran and left:
            seconds = (time.time() - self.began) / ran * left
            text += f"; about {timedelta(seconds=round(seconds))} left"
        log.info(text)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table of jobs; exit with status 1 if any job is not finished."""
        if not _sweeps(config):
            return
        # Imported here so that --help does not load rich.
        from inpainting.sweeps.table import print_jobs

        folder = Path(config.hydra.sweep.dir)
        jobs = self.folders or sorted(path.parent for path in folder.glob("*/.hydra"))
        try:
            print_jobs(jobs, folder, self.began)
        finally:  # Hydra turns an exception of a callback into a warning, except SystemExit
            if any(status(job) != "finished" for job in jobs):
                sys.exit(1)


def _set_direction(config: DictConfig) -> None:
    """Tell a search such as Optuna's whether to maximise or minimise the monitored number.

    Raises:
        InputError: see `better_end`.
    """
    sweeper = config.hydra.sweeper
    if "direction" not in sweeper or sweeper.direction is not None:
        return
    # Imported here so that --help does not load torch.
    from inpainting.metrics.base import validated
    from inpainting.metrics.columns import better_end

    metrics = instantiate(config.metrics, _convert_="all")
    measured = validated(metric for metric in metrics.values() if metric is not None)
    end = better_end(config.monitor, measured)
    with read_write(config):
        sweeper.direction = f"{end}imize"


def _sweeps(config: DictConfig) -> bool:
    """Return True if the command has sweeps; others inherit this callback from train.yaml."""
    return config.hydra.job.config_name in ("train", "evaluate")


@dataclass
class Job:
    """A job that a sweep will run.

    Args:
        folder: of the job
        sweep: folder of the whole sweep
        row: name of the job's setting
        compared_with: name of the row that this row is compared with
        settings: what the job's numbers depend on, see `runs.settings.settings`
    """

    folder: Path
    sweep: Path
    row: str
    compared_with: str | None
    settings: dict[str, Any]


def planned(config: DictConfig) -> list[Job]:
    """Return all jobs in their order; none if a sweeper such as Optuna finds them one by one."""
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
    sweep = _common_folder([Path(job.hydra.sweep.dir) for job in configs])
    return [_job(job, number, sweep) for number, job in enumerate(configs)]


def _common_folder(folders: list[Path]) -> Path:
    """Return one folder for a sweep whose jobs have different names, such as telea-mean_fill."""
    distinct = list(dict.fromkeys(folders))
    if len(distinct) == 1:
        return distinct[0]
    return distinct[0].with_name("-".join(folder.name for folder in distinct))


def keep_together(config: DictConfig, jobs: list[Job]) -> None:
    """Set one folder for all jobs, because Hydra resolves the sweep's folder again for each job."""
    folder = jobs[0].sweep if jobs else config.hydra.sweep.dir
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(folder)
        config.hydra.overrides.hydra.append(quoted("hydra.sweep.dir", folder))


def _job(config: DictConfig, number: int, sweep: Path) -> Job:
    with _inside_job(config, number, sweep) as folder:
        check_values(config)
        row = config.row or config.name
        job = Job(folder, sweep, row, config.compared_with, settings(config))
        check_same_training(config, folder)
    return job


@contextmanager
def _inside_job(config: DictConfig, number: int, sweep: Path) -> Iterator[Path]:
    """Resolve `${hydra:...}` as it will resolve inside this job; yield the job's folder."""
    subdir = str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"])
    if "${row}" in subdir and config.row is None:
        experiment = config.hydra.runtime.choices.experiment
        raise InputError(
            f"experiment={experiment} is not a row of this table, so its folder has no name: add "
            f"row=NAME, or type -m experiment={experiment} without sweep=…"
        )
    with read_write(config), open_dict(config):
        config.hydra.job.num = number
        config.hydra.sweep.dir = str(sweep)
        folder = sweep / config.hydra.sweep.subdir
        config.hydra.runtime.output_dir = str(folder.absolute())
    with inside_hydra(config):
        yield folder


def check_jobs(jobs: list[Job]) -> None:
    """Refuse jobs that share a folder, and rows with the settings of their base row.

    Raises:
        InputError: names the jobs and what to type.
    """
    seen: dict[Path, Job] = {}
    for job in jobs:
        if job.folder in seen:
            keys = differing(seen[job.folder].settings, job.settings) or ["nothing"]
            raise InputError(
                f"two jobs would write to {job.folder}, but differ in {keys[0]}: type a "
                "hydra.sweep.subdir=… that contains this key, or a sweep with another name=… for "
                "each value"
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
                    "something typed overrides the difference between them; leave out that "
                    "override, or leave out the row"
                )
