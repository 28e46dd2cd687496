"""What the settings of a stored run may build. A run's folder may come from a stranger.

The yamls of conf/, the user's own and what is typed are trusted; the files in a run's folder are
data. From these, a command builds only what this package and torch's layers, losses and optimisers
offer, and takes no setting of Hydra. `trust=true` on the command line lifts both.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from inpainting import CONF
from inpainting.errors import InputError
from inpainting.runs.checked import check_part
from inpainting.runs.settings import flat

# Parts of this package whose classes are made to be built from a configuration.
BUILT = ("callbacks", "data", "diffusion", "loggers", "losses", "masks", "methods", "metrics", "nn")
BUILT += ("schedules", "tokens", "trainer")
FUNCTIONS = ("diffusion", "schedules")  # whose functions compute and do nothing else
RESOLVERS = ("by_budget", "oc.env")  # which make no settings out of text
# Keys that say where a command writes, which follow from the run's folder.
PLACES = "path|dirpath|folder|save_dir|filename"
WRITTEN_TO = re.compile(rf"(callbacks|logger)\..*\b({PLACES})|paths\.run")
ASK = "type trust=true if you trust whoever wrote it"


def trusted_part(stored: DictConfig, key: str, now: DictConfig, folder: Path) -> DictConfig:
    """Return a part of a stored configuration, to be built.

    Args:
        stored: the configuration in the run's folder
        key: of the part
        now: the configuration that was composed for this command: classes that it names are
            trusted, and with `trust` true all are
        folder: of the run

    Raises:
        InputError: the part is missing, names what is not offered, or holds a value that does not
            fit, see `check_part`.
    """
    try:
        part = OmegaConf.to_container(OmegaConf.select(stored, key), resolve=True)
    except (OmegaConfBaseException, ValueError) as error:
        raise InputError(
            f"config.yaml in {folder} has no readable {key}; type the folder of another run"
        ) from error
    if not now.get("trust"):
        own = list(_targets(OmegaConf.to_container(now, resolve=False)))
        for name in _targets(part):
            if name not in own and not is_offered(name):
                raise InputError(
                    f"config.yaml in {folder} names {name}, which neither this package nor "
                    f"torch.nn nor torch.optim offers: {ASK}"
                )
        for setting, value in flat(part).items():
            if "${" in str(value):  # a stored configuration is resolved; it must not be once more
                raise InputError(f"config.yaml in {folder} computes {key}.{setting}: {ASK}")
    check_part(key, part)
    return OmegaConf.create(part)


def trusted_overrides(overrides: Iterable[str], trust: bool, folder: Path) -> list[str]:
    """Return the stored overrides of a run, to be composed.

    Args:
        overrides: of the run
        trust: True if all are taken
        folder: of the run

    Raises:
        InputError: an override sets what a run's folder may not.
    """
    own = [text for text in overrides if not re.match(r"\+{0,2}trust=", text)]
    for text in own if not trust else ():
        if reason := _refused(text):
            raise InputError(f".hydra/overrides.yaml in {folder} {reason} ({text[:100]}): {ASK}")
    return own


def _refused(text: str) -> str | None:
    """Return why an override may not come from a run's folder, or None."""
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        return "holds what is no setting"
    key = override.key_or_group
    if override.is_sweep_override():
        return "holds several values of one setting"
    if key == "trust":
        return "asks to be trusted"
    if "hydra" in (re.split(r"[./]", key)[0], re.split(r"[./:]", override.package or "")[0]):
        return "sets Hydra itself"
    if _leaves_conf(override):
        return "takes a yaml from another place than the configurations"
    if any(name not in RESOLVERS for name in re.findall(r"\$\{\s*([\w.]+)\s*:", text)):
        return "computes settings"
    # A key is joined to its value here, so that model._target_=… is found too.
    tree = _nested(key, _plain(override))
    if any(not is_offered(name) for name in _targets(tree)) or (
        "_target_" in text and not list(_targets(tree))
    ):
        return "names what neither this package nor torch.nn nor torch.optim offers"
    values = flat(tree)
    if any(WRITTEN_TO.fullmatch(name) for name in values):
        return "says where files are written"
    if key.split(".")[0] == "tests":  # command lines of evaluations
        for value in values.values():
            for inner in value if isinstance(value, list) else [value]:
                if inner is not None and (reason := _refused(str(inner))):
                    return reason
    return None


def _plain(override: Override) -> Any:
    value = override.value()
    return OmegaConf.to_container(OmegaConf.create({"value": value}))["value"]


def _nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def _leaves_conf(override: Override) -> bool:
    """Return True if an option of a group climbs out of the folder of configurations."""
    key = override.key_or_group
    group = "/" in key or override.package is not None or (Path(CONF) / key).is_dir()
    if not group and ("." in key or key in _keys_at_the_top()):
        return False
    return any(
        ".." in option or option.startswith(("/", "file:", "pkg:"))
        for option in re.split(r"[\[\],\s]+", override.get_value_element_as_str().replace('"', ""))
    )


@cache
def _keys_at_the_top() -> frozenset[str]:
    yamls = [OmegaConf.load(path) for path in Path(CONF).glob("*.yaml")]
    return frozenset(str(key) for yaml in yamls for key in yaml)


def _targets(tree: Any) -> Iterator[Any]:
    """Yield every `_target_` in nested dicts and lists."""
    branches = tree.values() if isinstance(tree, Mapping) else tree
    if isinstance(tree, Mapping) and "_target_" in tree:
        yield tree["_target_"]
    if isinstance(tree, Mapping | list):
        for branch in branches:
            yield from _targets(branch)


@cache
def _named_in_conf() -> frozenset[str]:
    texts = [path.read_text() for path in Path(CONF).rglob("*.yaml")]
    return frozenset(name for text in texts for name in re.findall(r"_target_: ([\w.]+)", text))


def is_offered(name: Any) -> bool:
    """Return True for what this package, and torch for training networks, make to be built."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", name):
        return False
    if name in _named_in_conf():
        return True
    module, _, own = name.rpartition(".")
    package, _, below = module.partition(".")
    if package == "inpainting" and below.split(".")[0] in BUILT:
        return _is_ours(module, own)
    if package == "torch" and below.split(".")[0] in ("nn", "optim"):
        return _is_torchs(module, own)
    return False


def _is_ours(module: str, own: str) -> bool:
    found = _member(module, own)
    if getattr(found, "__module__", None) != module:  # what the module has imported itself
        return False
    return isinstance(found, type) or (module.split(".")[1] in FUNCTIONS and callable(found))


def _is_torchs(module: str, own: str) -> bool:
    # Imported here so that --help does not load torch.
    from torch.nn import Module
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    found = _member(module, own)
    return isinstance(found, type) and issubclass(found, Module | Optimizer | LRScheduler)


def _member(module: str, own: str) -> Any:
    try:
        return vars(import_module(module)).get(own)
    except ModuleNotFoundError:
        return None
