"""Command lines that start from a run: the run's own overrides, then those typed now."""

import os
import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.errors import InputError, is_first_process
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.runs.file_names import quoted, unquoted
from inpainting.runs.folder import SWEEP_JOB, Run, claimed
from inpainting.runs.opening import open_run
from inpainting.runs.record import check_unedited
from inpainting.runs.trust import trusted_overrides

# Keys that an evaluation must not inherit: how the run was trained, and where it wrote its output.
TRAINING_KEYS = ("trainer", "logger", "callbacks", "debug", "hydra", "seed", "against")
TRAINING_KEYS += ("resume", "init_from", "run", "compile", "trust")

WANDB_FOLDER = re.compile(r"(?:offline-)?run-(?P<stamp>\d{8}_\d{6})-(?P<id>.+)")


def _last_typed(arguments: list[str], key: str) -> str | None:
    """Return the last value typed for a key; None if the key was not typed, or is empty or null."""
    values = [text.split("=", 1)[1] for text in arguments if text.startswith(f"{key}=")]
    value = unquoted(values[-1]) if values else "null"
    return None if value in ("", "null") else value


def _trusted(arguments: list[str]) -> bool:
    return (_last_typed(arguments, "trust") or "").lower() == "true"


def _started_by_lightning(arguments: list[str]) -> bool:
    """Return True in a process that Lightning started with the first process's command line."""
    return any(text.startswith("hydra.job.name=train_ddp_process_") for text in arguments)


def resume_arguments(arguments: list[str]) -> list[str]:
    """Build the command line of `train resume=FOLDER`: the run's overrides, then those typed now.

    Args:
        arguments: as typed, without the name of the program; without `resume` they are returned
            unchanged

    Raises:
        InputError: the folder holds no run, its config.yaml was edited, its last checkpoint is
            missing or corrupt, or another process is writing to the folder; without `resume`, see
            `check_free`.
    """
    if _started_by_lightning(arguments):
        return arguments
    folder = _last_typed(arguments, "resume")
    if folder is None:
        check_free(arguments)
        return arguments
    run = Run.open(folder, "resume")
    check_unedited(run.folder, [key_of(text) for text in arguments])
    last = run.checkpoint("last", "resume")
    if "optimizer_states" not in read_checkpoint(last, "resume"):
        raise InputError(
            f"resume={folder}: {last.name} holds weights alone, as best.ckpt does, and not the "
            f"state of a training; restore it, or type init_from={last} to start a new run from it"
        )
    if is_first_process():
        with claimed(run.folder, resume=True):
            pass
    # Hydra refuses a second +key, so an override that is typed again must not appear twice.
    stored = trusted_overrides(run.overrides, _trusted(arguments), run.folder)
    kept = [t for t in stored if not t.startswith("resume=") and t not in arguments]
    if _other_logger(run, arguments) is not None:  # which may lack the keys of the run's logger
        kept = [text for text in kept if not key_of(text).startswith("logger.")]
    kept += _same_wandb_run(run, arguments)
    # Hydra would write .hydra into the run before anything has checked that it can be resumed.
    here = [quoted("hydra.run.dir", folder), "hydra.output_subdir=null"]
    # A sweep's run is resumed alone: its overrides would start the whole sweep again.
    return [*_options_first(kept, arguments), *here, "hydra.mode=RUN"]


def _other_logger(run: Run, arguments: list[str]) -> str | None:
    """Return the logger typed now if it differs from the run's logger, else None."""
    before, now = (
        [text.partition("=")[2].strip("\"'") for text in texts if key_of(text) == "logger"]
        for texts in ([f"logger={run.choice('logger')}", *run.overrides], arguments)
    )
    return now[-1] if now and now[-1] != before[-1] else None


def _same_wandb_run(run: Run, arguments: list[str]) -> list[str]:
    """Return the override that continues the run's page in wandb, if the resumed run logs there."""
    matches = [WANDB_FOLDER.fullmatch(path.name) for path in (run.folder / "wandb").glob("*run-*")]
    found = [match for match in matches if match]
    other = _other_logger(run, arguments)
    if other is None:
        logs = "wandb" in (run.config.logger or {})
    else:
        path = Path(CONF) / "logger" / f"{other}.yaml"
        logs = path.is_file() and "wandb" in OmegaConf.load(path)
    if not (found and logs) or _last_typed(arguments, "logger.wandb.id"):
        return []
    return [quoted("logger.wandb.id", max(found, key=lambda match: match["stamp"])["id"])]


def _options_first(kept: list[str], arguments: list[str]) -> list[str]:
    """Put options such as -m and their values before all overrides, as Hydra's parser requires."""
    options = [t for t in arguments if t.startswith("-") or ("=" not in t and t[:1] != "~")]
    return [*options, *kept, *(text for text in arguments if text not in options)]


def own_configurations() -> list[str]:
    """Return the options of the running command that say where the user's configurations lie.

    A command that this one starts needs these of Hydra's own options, and no other.
    """
    hydra = HydraConfig.get()
    typed = [source for source in hydra.runtime.config_sources if source.provider == "command-line"]
    folders = [f"--config-dir={source.path}" for source in typed]
    return folders + [t for t in hydra.overrides.hydra if t.startswith("hydra.searchpath=")]


def check_free(arguments: list[str]) -> None:
    """Refuse a typed hydra.run.dir that already holds a run, before Hydra writes into it.

    Raises:
        InputError: see `claimed`.
    """
    folder = _last_typed(arguments, "hydra.run.dir")
    if folder and Path(folder).is_dir() and is_first_process():
        with claimed(Path(folder), resume=False):
            pass


def key_of(override: str) -> str:
    """Return the key that an override changes: data, data.root, logger@loggers.second."""
    return override.lstrip("+~").split("=")[0]


def _kept(run: Run, arguments: list[str]) -> list[str]:
    """Return the run's overrides that also apply to its evaluation.

    If another data set or kind of hole is typed, the overrides for the run's own are left out,
    because the other one may lack those keys. The keys that all data sets share are kept.
    """
    stored = trusted_overrides(run.overrides, _trusted(arguments), run.folder)
    kept = [t for t in stored if key_of(t).split(".")[0].split("@")[0] not in TRAINING_KEYS]
    common = {"data": list(OmegaConf.load(Path(CONF) / "data" / "base.yaml")), "mask": []}
    # A part of the model that is typed now, such as another sampler, brings its own values.
    parts = [key_of(text) for text in arguments if key_of(text).startswith("model/")]
    for part in parts:
        kept = [t for t in kept if not key_of(t).startswith(part.replace("/", ".") + ".")]
    for group, keys in common.items():
        if _last_typed(arguments, group) in (None, run.choice(group)):
            continue
        allowed = {f"{group}.{key}" for key in keys}
        kept = [
            text
            for text in kept
            if not key_of(text).startswith(f"{group}.")
            or ".".join(key_of(text).split(".")[:2]) in allowed
        ]
    return kept


def complete_arguments(arguments: list[str]) -> list[str]:
    """Complete what is typed about attributes and edits, so that Hydra composes it."""
    # Which attributes there are depends on the data: no yaml lists them, so Hydra wants a plus.
    arguments = [f"+{text}" if text.startswith("attributes.") else text for text in arguments]
    if (_last_typed(arguments, "edit") or "").lower() == "true":  # whole images have no hole
        arguments += [] if _last_typed(arguments, "mask") else ["mask=none"]
    return arguments


def evaluation_arguments(arguments: list[str]) -> list[str]:
    """Build the command line of `evaluate run=FOLDER`: the run's overrides, then those typed now.

    The run's overrides for data, mask and model are kept, those for its training are dropped.

    Args:
        arguments: as typed, without the name of the program; without `run` they are returned
            unchanged

    Raises:
        InputError: the folder holds no run, or both `run` and `model` are typed; see also
            `check_free`.
    """
    if _started_by_lightning(arguments) or _job_of_sweep(arguments):
        return arguments
    check_free(arguments)
    arguments = complete_arguments(arguments)
    folder = _last_typed(arguments, "run")
    if _last_typed(arguments, "holes_of"):
        return _same_data(arguments, folder)
    if folder is None:
        return arguments
    run = open_run(folder)
    model = _last_typed(arguments, "model")
    if model is not None:
        raise InputError(
            f"run={folder} brings its own model: leave out model={model} or leave out run={folder}"
        )
    kept = [*_kept(run, arguments), "against=[]"]
    if _last_typed(arguments, "trainer") is None:
        # The run's experiment may have set a trainer for the machine that it was trained on.
        kept += ["trainer=auto", "trainer.precision=32-true"]
    typed = {key_of(text) for text in arguments}
    kept = [text for text in kept if key_of(text) not in typed]
    if several(arguments):  # a job's folder is named by what was typed, see evaluate.yaml
        left_out = ",".join(dict.fromkeys(["run", *map(key_of, kept)]))
        kept.append(f"hydra.job.config.override_dirname.exclude_keys=[{left_out}]")
    return _options_first(kept, arguments)


def _same_data(arguments: list[str], run: str | None) -> list[str]:
    """Add the data set and the kind of hole of the run that `holes_of` names, whose values follow.

    Raises:
        InputError: the folder holds no run, or another run or other data are typed as well.
    """
    named = Run.open(_last_typed(arguments, "holes_of"), "holes_of")
    typed = [text for text in arguments if key_of(text).split(".")[0] in ("data", "mask")]
    if run is not None or typed:
        other = f"run={run}" if run is not None else typed[0]
        raise InputError(
            f"holes_of={named.folder} brings data and holes for a model without training: leave "
            f"out {other} or leave out holes_of"
        )
    choices = [f"{group}={named.choice(group)}" for group in ("data", "mask")]
    return _options_first([*choices, "trainer=auto"], arguments)


def _job_of_sweep(arguments: list[str]) -> bool:
    """Return True in a job that a sweep started with a command line that is complete."""
    return SWEEP_JOB in os.environ and "hydra.mode=RUN" in arguments


def several(arguments: list[str]) -> bool:
    """Return True if Hydra is told to run several jobs."""
    return any(text in ("-m", "--multirun", "hydra.mode=MULTIRUN") for text in arguments)
