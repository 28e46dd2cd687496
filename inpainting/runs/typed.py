"""What was typed, checked against the configuration: did you mean another option or key?"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.errors import InputError, is_first_process
from inpainting.runs.folder import SWEEP_JOB
from inpainting.runs.settings import flat
from inpainting.values import as_typed

ELSEWHERE = ("--config-dir", "-cd", "hydra.searchpath")  # configurations that are not ours
COMPLETION = ("-sc", "--shell-completion")  # of a shell, with words of its own


def check_typed(name: str, arguments: list[str]) -> None:
    """Refuse options and keys that do not exist, and name the nearest that do.

    Hydra refuses them too, in longer words. What only Hydra can judge is left to it: additions by
    `+`, deletions, packages, and configurations from elsewhere.

    Args:
        name: of the command's configuration
        arguments: as Hydra will get them

    Raises:
        InputError: names the option or key, and those that are meant, if any are near.
    """
    if not is_first_process() or SWEEP_JOB in os.environ:
        return  # checked by what started this process
    if any(text.startswith((*ELSEWHERE, *COMPLETION)) for text in arguments):
        return
    typed = [text for text in arguments if "=" in text and text[:1] not in "-+~"]
    try:
        overrides = OverridesParser.create().parse_overrides(typed)
    except HydraException:
        return  # Hydra's own sentence shows the place
    plain = [one for one in overrides if one.package is None and not _is_hydras(one.key_or_group)]
    groups = [one for one in plain if (Path(CONF) / one.key_or_group).is_dir()]
    for one in groups:
        for option in _options(one):
            _check_option(one.key_or_group, option)
    keys = [one.key_or_group for one in plain if one not in groups]
    if keys:
        added = [text for text in arguments if text.startswith("+") and not _is_hydras(text[1:])]
        _check_keys(keys, name, [*(f"{one.key_or_group}={_text(one)}" for one in groups), *added])


def _is_hydras(key: str) -> bool:
    return key == "hydra" or key.startswith(("hydra.", "hydra/"))


def _options(override: Override) -> list[str]:
    """Return the options that are chosen: several in a list, and in a sweep."""
    chosen = list(override.sweep_string_iterator()) if override.is_sweep_override() else None
    values = chosen if chosen is not None else [override.value()]
    return [
        str(option)
        for value in values
        for option in (value if isinstance(value, list) else as_typed(value).strip("[]").split(","))
    ]


def _text(override: Override) -> str:
    """Return the value as it was typed, the first one of a sweep."""
    if override.is_sweep_override():
        return str(next(iter(override.sweep_string_iterator())))
    return override.get_value_element_as_str()


def _check_option(group: str, option: str) -> None:
    folder = Path(CONF) / group
    if (folder / f"{option}.yaml").is_file():
        return
    files = sorted(folder.rglob("*.yaml"))
    known = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    own = [one for one in known if one != "base" and not (folder / one.split("/")[0]).is_dir()]
    near = get_close_matches(option, known, n=2, cutoff=0.6)
    if near:
        meant = " or ".join(f"{group}={name}" for name in near)
        raise InputError(f"{group}={option}: there is no such option; did you mean {meant}?")
    raise InputError(
        f"{group}={option}: there is no such option; type one of {', '.join(own or known)}"
    )


def _check_keys(keys: list[str], name: str, choices: list[str]) -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONF, version_base="1.3"):
        try:
            config = compose(name, choices)
        except HydraException:
            return  # Hydra says what does not fit together
    tree = OmegaConf.to_container(config, resolve=False)
    known = flat(tree)
    for key in keys:
        if not _is_there(tree, key.split(".")):
            ends = {one.rpartition(".")[2]: one for one in known}
            near = get_close_matches(key, [*known, *_groups()], n=2, cutoff=0.75)
            near += [ends[end] for end in get_close_matches(key.rpartition(".")[2], ends, n=1)]
            meant = " or ".join(list(dict.fromkeys(near))[:2])
            hint = f"did you mean {meant}?" if meant else "--cfg job shows all keys"
            raise InputError(f"{key}: there is no such key; {hint}")


def _is_there(tree: Any, parts: list[str]) -> bool:
    """Return True if a key is in the tree, or lies where the yaml leaves the keys open."""
    for part in parts:
        if isinstance(tree, str) or tree is None or tree == {} or isinstance(tree, list):
            return True  # an interpolation, or a place for keys of the user's own
        if part not in tree:
            return False
        tree = tree[part]
    return True


def _groups() -> list[str]:
    return [
        path.relative_to(CONF).as_posix()
        for path in sorted(Path(CONF).rglob("*"))
        if path.is_dir() and any(path.glob("*.yaml"))
    ]
