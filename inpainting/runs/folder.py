"""A run's folder: its configuration, overrides, checkpoints and status, and the lock on it.

`outputs/<name>/<stamp>/` holds `.hydra/`, `config.yaml` (resolved), `checkpoints/{best,last}.ckpt`,
`metrics.csv`, `per_image.csv`, `images/`, `train.log` and, written last, `metrics.json`. A run that
was resumed after its end also has `metrics_before_resume.json`, a job of a sweep that failed
`failed.txt`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from inpainting import CONF
from inpainting.errors import InputError, for_the_user, is_first_process
from inpainting.runs.settings import flat
from inpainting.runs.stored import read_config, read_overrides, read_stored
from inpainting.runs.trust import trusted_part

SWEEP_JOB = "INPAINTING_SWEEP_JOB"  # set in the environment of the processes that a sweep starts


@dataclass(frozen=True)
class Run:
    """A finished or interrupted run.

    Args:
        folder: the run's folder; `open` checks that it holds one
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path, key: str = "run") -> "Run":
        """Open the run in a folder.

        Args:
            folder: of the run
            key: what the user typed to name it

        Raises:
            InputError: the folder does not exist or holds no run.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise InputError(f"{key}={folder}: there is no such folder; type the folder of a run")
        if not (path / "config.yaml").is_file():
            begun = (path / ".hydra" / "overrides.yaml").is_file()
            what = (
                "the command that made it was stopped before it had saved anything; type that "
                "command again"
                if begun
                else "it is not the folder of a run; type one that training wrote, such as "
                "outputs/glcic/2026-01-31_12-00-00"
            )
            raise InputError(f"{key}={folder}: there is no config.yaml in it: {what}")
        return cls(path)

    @property
    def config(self) -> DictConfig:
        """The resolved configuration, to be read; `part` is what may be built."""
        return read_config(self.folder / "config.yaml")

    def part(self, key: str, now: DictConfig) -> DictConfig:
        """Return a part of the configuration that may be built; see `trusted_part`."""
        return trusted_part(self.config, key, now, self.folder)

    @property
    def overrides(self) -> list[str]:
        """The overrides that were typed to start the run."""
        return read_overrides(self.folder / ".hydra" / "overrides.yaml")

    def choice(self, group: str) -> str | None:
        """Return the option of a configuration group that the run was composed with, or None."""
        path = self.folder / ".hydra" / "hydra.yaml"
        return OmegaConf.select(read_stored(path), f"hydra.runtime.choices.{group}")

    def checkpoint(self, name: str, key: str = "run") -> Path:
        """Return the path of a checkpoint.

        Args:
            name: "best" or "last"
            key: what the user typed to name the run

        Raises:
            InputError: the run has no such checkpoint.
        """
        path = self.folder / "checkpoints" / f"{name}.ckpt"
        if not path.is_file():
            raise InputError(
                f"{key}={self.folder}: this run keeps no {path.name}; type another run, or train "
                "it again in another folder"
            )
        return path

    def model_config(self, overrides: Sequence[str], composed: DictConfig) -> DictConfig:
        """Return the run's model, with the overrides that were typed for it now.

        Args:
            overrides: of the command line; those that are the run's own change nothing
            composed: the configuration composed from them; it supplies the parts that were typed
                now, as by `model/sampler=repaint`

        Raises:
            InputError: a key is neither in the run's model nor in the model's current yaml, or
                the weights depend on another value of it.
        """
        model = self.part("model", composed)
        plain = [text.lstrip("+") for text in overrides if text not in self.overrides]
        for part in (text.split("=")[0] for text in plain if text.startswith("model/")):
            key = part.removeprefix("model/").replace("/", ".")
            OmegaConf.update(model, key, OmegaConf.select(composed.model, key), merge=False)
        changes = [text.removeprefix("model.") for text in plain if text.startswith("model.")]
        known = [*flat(OmegaConf.to_container(model)), *self._current_keys()]
        for change in changes:
            key = change.split("=")[0]
            if not any(f"{name}.".startswith(f"{key}.") for name in known):
                raise InputError(
                    f"model.{change}: the model of {self.folder} has no such key; "
                    "type one that its config.yaml lists"
                )
        changed = OmegaConf.merge(model, OmegaConf.from_dotlist(changes))
        self.check_network(changed)
        return changed

    def check_network(self, model: DictConfig) -> None:
        """Refuse a model that differs in an argument the run's weights depend on.

        The weights would load into such a model but produce garbage.

        Raises:
            InputError: names the setting.
        """
        bound = get_class(model._target_).bound_to_weights
        trained, given = (
            flat(OmegaConf.to_container(tree, resolve=True)) for tree in (self.config.model, model)
        )
        changed = [
            key
            for key, value in trained.items()
            if any(f"{key}.".startswith(f"{name}.") for name in bound) and given.get(key) != value
        ]
        if changed:
            typed, before = (
                ", ".join(f"model.{key}={values.get(key)}" for key in changed)
                for values in (given, trained)
            )
            raise InputError(
                f"{typed}: the weights in {self.folder} were trained with {before}; leave it out"
            )

    def _current_keys(self) -> list[str]:
        """Return the keys in the model's current yaml; some may be newer than the run."""
        path = Path(CONF) / "model" / f"{self.choice('model')}.yaml"
        if not path.is_file():  # a yaml of the user's own, which lies elsewhere
            return []
        return list(flat(OmegaConf.to_container(OmegaConf.load(path)).get("model")))


@contextmanager
def claimed(folder: Path, resume: bool, in_sweep: bool = False) -> Iterator[None]:
    """Lock the folder, so that no other run writes to it.

    Args:
        folder: of the run
        resume: True if the folder may already hold a run
        in_sweep: True in the process that starts a sweep's jobs; the jobs know it from their
            environment

    Raises:
        InputError: another run is writing to the folder, or it holds a run and `resume` is False.
    """
    if not is_first_process():  # the first process holds the lock for all
        yield
        return
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        in_sweep = in_sweep or SWEEP_JOB in os.environ
        other = "name=OTHER" if in_sweep else "another hydra.run.dir=FOLDER"
        raise InputError(
            f"another run is writing to {folder}: wait until that run ends, or type {other}"
        ) from None
    with lock:
        if not resume and (folder / "config.yaml").exists():
            last = folder / "checkpoints" / "last.ckpt"
            go_on = f"resume={folder} to continue that run, or " if last.is_file() else ""
            raise InputError(
                f"{folder} already holds a run: type {go_on}another hydra.run.dir=FOLDER"
            )
        yield


@contextmanager
def failure_noted(folder: Path) -> Iterator[None]:
    """Write an error's sentence to `failed.txt` in the folder, if the run is a job of a sweep.

    A single run leaves no such file: the user reads the error in the terminal, and a refused
    resume must leave no trace.
    """
    try:
        yield
    except Exception as error:
        if SWEEP_JOB in os.environ:
            known = for_the_user(error)
            text = str(known) if known else f"{type(error).__name__}: {error}"
            # The first process to fail knows the cause; the others only lost contact with it.
            with suppress(FileExistsError), open(folder / "failed.txt", "x") as file:
                file.write(" ".join(text.split()) + "\n")
        raise
