"""A run's folder: its configuration, overrides, state, and who may write to it.

`outputs/<name>/<stamp>/` holds `.hydra/`, `config.yaml` (resolved), `checkpoints/{best,last}.ckpt`,
`metrics.csv`, `per_image.csv`, `images/`, `train.log` and, written last, `metrics.json`; a sweep's job
that failed has `failed.txt`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from inpainting import CONF
from inpainting.atomic import write_text
from inpainting.errors import InputError, for_the_user, is_first_process
from inpainting.runs.settings import flat

SWEEP_JOB = "INPAINTING_SWEEP_JOB"  # set in the environment of the processes that a sweep starts


@dataclass(frozen=True)
class Run:
    """A finished or interrupted run.

    Raises:
        InputError: at `open`, if the folder is not one.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path, key: str = "run") -> "Run":
        """The run in this folder; `key` is what the user typed to name it."""
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise InputError(f"{key}={folder}: there is no such folder; type the folder of a run")
        if not (path / "config.yaml").is_file():
            raise InputError(
                f"{key}={folder}: no config.yaml in it, so it is not the folder of a run; "
                "type one that training wrote, such as outputs/glcic/2026-01-31_12-00-00"
            )
        return cls(path)

    @property
    def config(self) -> DictConfig:
        """The resolved configuration."""
        return OmegaConf.load(self.folder / "config.yaml")

    @property
    def overrides(self) -> list[str]:
        """What was typed to start it."""
        return list(OmegaConf.load(self.folder / ".hydra" / "overrides.yaml"))

    def choice(self, group: str) -> str | None:
        """The yaml of a configuration group that it was composed with."""
        path = self.folder / ".hydra" / "hydra.yaml"
        return OmegaConf.select(OmegaConf.load(path), f"hydra.runtime.choices.{group}")

    def checkpoint(self, name: str, key: str = "run") -> Path:
        """Path of the checkpoint "best" or "last"."""
        path = self.folder / "checkpoints" / f"{name}.ckpt"
        if not path.is_file():
            raise InputError(f"{key}={self.folder}: it has no {path.name}; train it first")
        return path

    def model_config(self, overrides: Sequence[str], composed: DictConfig) -> DictConfig:
        """Its model, with what was typed for it now.

        Args:
            overrides: of a command line; those that are the run's own change nothing
            composed: the model as it is composed of them, for parts that were chosen anew, as by
                `model/sampler=repaint`

        Raises:
            InputError: neither the run's model nor its yaml as it is now has such a key, or the
                weights are bound to another value.
        """
        model = self.config.model
        plain = [text.lstrip("+") for text in overrides if text not in self.overrides]
        for part in (text.split("=")[0] for text in plain if text.startswith("model/")):
            key = part.removeprefix("model/").replace("/", ".")
            OmegaConf.update(model, key, OmegaConf.select(composed, key), merge=False)
        changes = [text.removeprefix("model.") for text in plain if text.startswith("model.")]
        known = [*flat(OmegaConf.to_container(model)), *self._present_keys()]
        for change in changes:
            key = change.split("=")[0]
            if not any(f"{one}.".startswith(f"{key}.") for one in known):
                raise InputError(f"model.{change}: the model of {self.folder} has no such key")
        changed = OmegaConf.merge(model, OmegaConf.from_dotlist(changes))
        self.check_network(changed)
        return changed

    def check_network(self, model: DictConfig) -> None:
        """Refuse a model for which this run's weights load, and mean something else.

        Raises:
            InputError: names the setting.
        """
        bound = get_class(model._target_).bound_to_weights
        trained, given = (
            flat(OmegaConf.to_container(one, resolve=True)) for one in (self.config.model, model)
        )
        other = [
            key
            for key, value in trained.items()
            if key.split(".")[0] in bound and given.get(key) != value
        ]
        if other:
            typed, before = (
                ", ".join(f"model.{key}={values.get(key)}" for key in other)
                for values in (given, trained)
            )
            raise InputError(
                f"{typed}: the weights of {self.folder} were trained with {before}, so leave it out"
            )

    def _present_keys(self) -> list[str]:
        """Of its model's yaml: some settings may be newer than the run."""
        path = Path(CONF) / "model" / f"{self.choice('model')}.yaml"
        if not path.is_file():  # the user's own
            return []
        return list(flat(OmegaConf.to_container(OmegaConf.load(path)).get("model")))


@contextmanager
def claimed(folder: Path, resume: bool, in_sweep: bool = False) -> Iterator[None]:
    """Hold the folder for this process alone.

    Args:
        folder: of the run
        resume: whether it may hold a run already
        in_sweep: whether this process starts a sweep's jobs; in a job itself it is known

    Raises:
        InputError: another run uses it, or it holds a run that is not to be resumed.
    """
    if not is_first_process():
        yield
        return
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        in_sweep = in_sweep or SWEEP_JOB in os.environ
        other = "name=OTHER" if in_sweep else "another hydra.run.dir=FOLDER"
        raise InputError(
            f"another run is writing to {folder}: wait for it, or type {other}"
        ) from None
    with lock:
        if not resume and (folder / "config.yaml").exists():
            raise InputError(
                f"{folder} holds a run already: type resume={folder} to go on with it, or another "
                "hydra.run.dir=FOLDER"
            )
        yield


@contextmanager
def failure_noted(folder: Path) -> Iterator[None]:
    """Leave an error's sentence in the folder's `failed.txt`, where the run is a sweep's job.

    Of a run alone, who started it reads the error, and a refused resume leaves no trace.
    """
    try:
        yield
    except Exception as error:
        if SWEEP_JOB in os.environ:
            known = for_the_user(error)
            text = str(known) if known else f"{type(error).__name__}: {error}"
            # The first of several processes to fail knows why; the others only lost it.
            with suppress(FileExistsError), open(folder / "failed.txt", "x") as file:
                file.write(" ".join(text.split()) + "\n")
        raise


@dataclass(frozen=True)
class Record:
    """How a run was started, as its folder keeps it.

    Args:
        folder: the run's
        config: resolved
        overrides: what was typed, which a resumed run starts from
    """

    folder: Path
    config: dict[str, Any]
    overrides: list[str]

    @classmethod
    def of(cls, config: DictConfig, folder: Path) -> "Record":
        """Of the command that runs now."""
        typed = list(HydraConfig.get().overrides.task)
        return cls(folder, OmegaConf.to_container(config, resolve=True), typed)

    def write(self) -> None:
        """Write `config.yaml` and `.hydra/overrides.yaml`, each whole or not at all."""
        (self.folder / ".hydra").mkdir(exist_ok=True)
        write_text(self.folder / ".hydra" / "overrides.yaml", OmegaConf.to_yaml(self.overrides))
        write_text(self.folder / "config.yaml", OmegaConf.to_yaml(self.config))


def status(folder: Path) -> str:
    """A job that is "finished", "failed", "interrupted" or "new"."""
    for name, file in (("finished", "metrics.json"), ("failed", "failed.txt")):
        if (folder / file).is_file():
            return name
    return "interrupted" if (folder / "config.yaml").is_file() else "new"


def failure_reason(folder: Path) -> str:
    """Why a job failed; empty of one that did not."""
    note = folder / "failed.txt"
    return note.read_text().strip() if note.is_file() else ""
