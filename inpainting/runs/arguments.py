"""Command lines that start from a run: its own overrides, followed by those typed now."""

import re
from pathlib import Path

from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.errors import InputError, is_first_process
from inpainting.runs.checkpoints import read_checkpoint
from inpainting.runs.folder import Run, claimed

# What an evaluation elsewhere must not inherit from the run: how it was trained and where it wrote.
TRAINING_KEYS = ("trainer", "logger", "callbacks", "debug", "hydra", "seed", "name", "against")
TRAINING_KEYS += ("resume", "init_from", "run", "compile")

WANDB_FOLDER = re.compile(r"(?:offline-)?run-(?P<stamp>\d{8}_\d{6})-(?P<id>.+)")


def quoted(key: str, value: object) -> str:
    """An override that Hydra's grammar takes whatever characters the value has."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}="{text}"'


def _given(arguments: list[str], key: str) -> str | None:
    """The last value typed for a key, None for none or null."""
    values = [text.split("=", 1)[1] for text in arguments if text.startswith(f"{key}=")]
    value = values[-1].strip("\"'") if values else "null"
    return None if value in ("", "null") else value


def _started_by_lightning(arguments: list[str]) -> bool:
    """Whether this is a further process, whose command line is the first one's already."""
    return any(text.startswith("hydra.job.name=train_ddp_process_") for text in arguments)


def resume_arguments(arguments: list[str]) -> list[str]:
    """Command line of `train resume=FOLDER`: the run's own overrides, then those typed now."""
    if _started_by_lightning(arguments):
        return arguments
    folder = _given(arguments, "resume")
    if folder is None:
        check_free(arguments)
        return arguments
    run = Run.open(folder, "resume")
    read_checkpoint(run.checkpoint("last", "resume"), "resume")
    if is_first_process():
        with claimed(run.folder, resume=True):
            pass
    # What is typed again counts once: a second + would be refused.
    kept = [t for t in run.overrides if not t.startswith("resume=") and t not in arguments]
    if _other_logger(run, arguments) is not None:  # it need not know the settings of the first
        kept = [text for text in kept if not key_of(text).startswith("logger.")]
    kept += _same_wandb_run(run, arguments)
    # Hydra must not write into the run before it is known that the training can go on.
    here = [quoted("hydra.run.dir", folder), "hydra.output_subdir=null"]
    # Of a sweep's run, this one alone goes on.
    return [*_options_first(kept, arguments), *here, "hydra.mode=RUN"]


def _other_logger(run: Run, arguments: list[str]) -> str | None:
    """The logger=CHOICE typed now, where it is not the run's own."""
    before, now = (
        [text.partition("=")[2].strip("\"'") for text in texts if key_of(text) == "logger"]
        for texts in ([f"logger={run.choice('logger')}", *run.overrides], arguments)
    )
    return now[-1] if now and now[-1] != before[-1] else None


def _same_wandb_run(run: Run, arguments: list[str]) -> list[str]:
    """The override by which a resumed run goes on in wandb, too, where it still logs there."""
    matches = [WANDB_FOLDER.fullmatch(path.name) for path in (run.folder / "wandb").glob("*run-*")]
    found = [match for match in matches if match]
    other = _other_logger(run, arguments)
    if other is None:
        logs = "wandb" in (run.config.logger or {})
    else:
        path = Path(CONF) / "logger" / f"{other}.yaml"
        logs = path.is_file() and "wandb" in OmegaConf.load(path)
    if not (found and logs) or _given(arguments, "logger.wandb.id"):
        return []
    return [quoted("logger.wandb.id", max(found, key=lambda match: match["stamp"])["id"])]


def _options_first(kept: list[str], arguments: list[str]) -> list[str]:
    """Options such as -m, and their values, before all overrides: Hydra's parser wants it so."""
    options = [t for t in arguments if t.startswith("-") or ("=" not in t and t[:1] != "~")]
    return [*options, *kept, *(text for text in arguments if text not in options)]


def check_free(arguments: list[str]) -> None:
    """Refuse a typed folder that holds a run, before Hydra writes into it.

    Raises:
        InputError: see `claimed`.
    """
    folder = _given(arguments, "hydra.run.dir")
    if folder and Path(folder).is_dir() and is_first_process():
        with claimed(Path(folder), resume=False):
            pass


def key_of(override: str) -> str:
    """What an override changes: data, data.root, logger@loggers.second."""
    return override.lstrip("+~").split("=")[0]


def _kept(run: Run, arguments: list[str]) -> list[str]:
    """The run's overrides that an evaluation composes again.

    Where another data set or kind of hole is typed now, the settings of the run's own are left
    out: the other one need not know them. Of a data set, those that all of them have are kept.
    """
    kept = [t for t in run.overrides if key_of(t).split(".")[0].split("@")[0] not in TRAINING_KEYS]
    common = {"data": list(OmegaConf.load(Path(CONF) / "data" / "base.yaml")), "mask": []}
    # A part of the model that is chosen anew, such as its sampler, comes with its own values.
    parts = [key_of(text) for text in arguments if key_of(text).startswith("model/")]
    for part in parts:
        kept = [t for t in kept if not key_of(t).startswith(part.replace("/", ".") + ".")]
    for group, keys in common.items():
        if _given(arguments, group) in (None, run.choice(group)):
            continue
        allowed = {f"{group}.{key}" for key in keys}
        kept = [
            text
            for text in kept
            if not key_of(text).startswith(f"{group}.")
            or ".".join(key_of(text).split(".")[:2]) in allowed
        ]
    return kept


def evaluation_arguments(arguments: list[str]) -> list[str]:
    """Command line of `evaluate run=FOLDER`: the run's data, mask and model, then what is typed."""
    if _started_by_lightning(arguments):
        return arguments
    check_free(arguments)
    folder = _given(arguments, "run")
    if folder is None:
        return arguments
    run = Run.open(folder)
    model = _given(arguments, "model")
    if model is not None:
        raise InputError(
            f"run={folder} brings its own model: leave out model={model}, or type it without run="
        )
    kept = [*_kept(run, arguments), "against=[]"]
    if _given(arguments, "trainer") is None:
        # What the run's experiment may have set for training on another machine.
        kept += ["trainer=auto", "trainer.precision=32-true"]
    return _options_first(kept, arguments)
