"""The values of a composed configuration, held to the annotations of what they are passed to.

A new class needs nothing for it: `width: int` in its `__init__` refuses `model.width=2.5`, and
`width: Count` (see `inpainting.values`) refuses 0 too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, get_type_hints

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from inpainting.errors import InputError, is_first_process, one_sentence
from inpainting.runs.keys import Keys, KeysOfPredict
from inpainting.runs.settings import flat
from inpainting.values import as_typed, describe, fits

HYDRAS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # to one other key


class ValueCheck(Callback):
    """The Hydra callback that checks a configuration before Hydra writes anything."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a value that nothing can be made of.

        Raises:
            SystemExit: after an error of one sentence; see `check_values`.
        """
        if not is_first_process():
            return
        with one_sentence():
            planned = deepcopy(config)
            folder = str(_resolved(planned, "hydra.run.dir"))
            if not folder:
                raise InputError("hydra.run.dir is empty: type hydra.run.dir=FOLDER")
            with read_write(planned), open_dict(planned):
                planned.hydra.runtime.output_dir = folder
            with inside_hydra(planned):
                check_values(planned)
                if "trainer" in planned:  # that of a sweep's job is checked where the job runs
                    from inpainting.trainer.checks import check_devices  # imports torch

                    check_devices(planned.trainer)
                if config.hydra.job.config_name != "predict":  # which reads no data set
                    # Its constructor checks what belongs together, and reads no image.
                    instantiate(planned.data, _convert_="all")


@contextmanager
def inside_hydra(config: DictConfig) -> Iterator[None]:
    """Let `${hydra:...}` refer to a configuration while the block runs."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def check_values(config: DictConfig) -> None:
    """Check all values of a composed configuration but Hydra's own.

    Raises:
        InputError: a value is missing or refers to a key that is not there, or it does not fit the
            annotation of the argument that it is passed to; names the key and what to type.
    """
    written = _written(config)
    check_complete(written)
    _check_references(config, written)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    tree = OmegaConf.to_container(own, resolve=True)
    keys = KeysOfPredict if "input" in tree else Keys
    for key, hint in get_type_hints(keys, include_extras=True).items():
        if key in tree:
            _check_value(key, tree[key], hint, written)
    for key, branch in tree.items():
        if key != "small":  # what it sets is checked where it is used
            _check_branch(key, branch, written)


def check_part(key: str, part: Any) -> None:
    """Check a part of a stored configuration, which is resolved; see `check_values`."""
    _check_branch(key, part, flat({key: part}))


def check_complete(written: dict[str, Any]) -> None:
    """Refuse a configuration in which a required value is missing.

    Args:
        written: values by dotted keys, not resolved: what refers to a missing value is not what a
            user can type

    Raises:
        InputError: names the key.
    """
    for key in sorted(key for key, value in written.items() if value == "???"):
        raise InputError(f"{key} is missing: type {key}=VALUE")


def _resolved(config: DictConfig, key: str) -> Any:
    """Return the value of a key; `check_complete` names what it lacks."""
    try:
        return OmegaConf.select(config, key, throw_on_missing=True)
    except OmegaConfBaseException as error:
        check_complete(_written(config))
        reason = str(error).splitlines()[0]
        raise InputError(f"{key} cannot be read: {reason}; type {key}=VALUE") from error


def _written(config: DictConfig) -> dict[str, Any]:
    """Return the values as they stand in the yamls, by dotted keys, without Hydra's own."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return flat(OmegaConf.to_container(own, resolve=False))


def _check_references(config: DictConfig, written: dict[str, Any]) -> None:
    for key, text in written.items():
        if isinstance(text, str) and "${" in text:
            try:
                OmegaConf.select(config, key)
            except OmegaConfBaseException as error:
                reason = str(error.msg).splitlines()[0]
                raise InputError(f"{key}={text}: {reason}; type a value") from error


def _check_branch(key: str, branch: Any, written: dict[str, Any]) -> None:
    """Check a part of the configuration, and the parts inside it."""
    if REFERENCE.fullmatch(str(written.get(key))):  # checked where it stands
        return
    if isinstance(branch, list):
        for place, entry in enumerate(branch):
            _check_branch(f"{key}.{place}", entry, written)
    if not isinstance(branch, Mapping):
        return
    if "_target_" in branch:
        _check_arguments(key, branch, written)
    for name, value in branch.items():
        _check_branch(f"{key}.{name}", value, written)


def _check_arguments(key: str, branch: Mapping[str, Any], written: dict[str, Any]) -> None:
    """Check what is passed to a target."""
    # Imported here because it imports nothing until a target is looked at, which imports torch.
    from inpainting.runs.arguments_of import arguments_of

    taken = arguments_of(_target(key, str(branch["_target_"])))
    typed = [name for name in branch if name not in HYDRAS]
    for name in typed:
        if name in taken.hints:
            if not _holds_target(branch[name]):
                _check_value(f"{key}.{name}", branch[name], taken.hints[name], written)
        elif not taken.others:
            near = get_close_matches(name, taken.hints, n=1)
            meant = f"did you mean {key}.{near[0]}?" if near else "leave it out"
            raise InputError(f"{key}.{name}: there is no such key of {branch['_target_']}; {meant}")
    if not branch.get("_partial_") and "_args_" not in branch:
        for name in sorted(taken.required.difference(typed)):
            raise InputError(
                f"{key}.{name} is missing, which {branch['_target_']} takes: "
                f"type +{key}.{name}=VALUE"
            )


def _target(key: str, name: str) -> Callable[..., Any]:
    try:
        target = get_object(name)
    except Exception as error:  # whatever a module raises that is imported
        raise InputError(
            f"{key}._target_={name} cannot be imported ({' '.join(str(error).split())[:200]}); "
            "type a class by its whole name, such as torch.optim.Adam"
        ) from error
    if not callable(target):
        raise InputError(f"{key}._target_={name} is no class or function; type the name of one")
    return target


def _holds_target(value: Any) -> bool:
    """Return True if an object is made of a value, or of something in it."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_holds_target, value.values()))
    return isinstance(value, list) and any(map(_holds_target, value))


def _check_value(key: str, value: Any, hint: Any, written: dict[str, Any]) -> None:
    source = _source(key, written)
    if fits(value, hint) or (value is None and source != key):  # it may be put in later
        return
    words = describe(hint)
    advice = f"type {words}" if words else f"leave it out, or type {key}._target_=CLASS"
    raise InputError(f"{source}={as_typed(value)}: {advice}")


def _source(key: str, written: dict[str, Any]) -> str:
    """Return the key that a value comes from: model.channels may refer to data.channels."""
    while match := REFERENCE.fullmatch(str(written.get(key))):
        key = match[1]
    return key
