"""Command lines of folders and key=value options, for commands without a Hydra configuration."""

import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import field, fields
from importlib.metadata import version
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from inpainting.errors import InputError

Options = TypeVar("Options")


def option(default: Any, text: str) -> Any:
    """Declare a dataclass field that can be typed as key=value, with its line in --help."""
    return field(default=default, metadata={"help": text})


def repeated(text: str) -> Any:
    """Declare a field, a list, whose key can be typed several times; see `option`."""
    return field(default_factory=list, metadata={"help": text})


def parse(
    module: str,
    description: str,
    options: type[Options],
    arguments: list[str] | None = None,
    folders: str | None = "the folder of a sweep or of runs, such as outputs/sweeps/NAME",
) -> tuple[list[str], Options]:
    """Parse a command line of folders and key=value options.

    Args:
        module: name of the module, as typed after `python -m`
        description: text at the top of --help
        options: a dataclass whose fields are declared by `option` or `repeated`
        arguments: the command line without the program's name; None reads it from `sys.argv`
        folders: what to type besides options; None where there is nothing

    Returns:
        the folders and the options

    Raises:
        InputError: no folder is typed, or one where there is none; or an option is unknown or has
            an invalid value.
    """
    lists = {known.name for known in fields(options) if known.default_factory is list}
    defaults = {one.name: None if one.name in lists else one.default for one in fields(options)}
    pairs = {name: f"{name}={default or 'NAME'}" for name, default in defaults.items()}
    width = max(len(pair) for pair in pairs.values())
    lines = [
        f"  {pairs[known.name]:{width}}  {known.metadata['help']}" for known in fields(options)
    ]
    parser = ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="\n".join(["key=value:", *lines]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"inpainting {version('inpainting')}"
    )
    parser.add_argument(
        "words", nargs="*", metavar="key=value" if folders is None else "FOLDER | key=value"
    )
    words = parser.parse_args(arguments).words
    typed = [word for word in words if re.match(r"\w+=", word)]
    others = [word for word in words if word not in typed]
    if folders is not None and not others:
        raise InputError(f"type {folders}")
    if folders is None and others:
        raise InputError(f"{others[0]}: type KEY=VALUE; --help lists the keys")
    values = OmegaConf.structured(options)
    for word in typed:
        key, _, value = word.partition("=")
        if key not in pairs:
            raise InputError(f"{word}: no such key; type one of {', '.join(pairs)}")
        try:
            if key in lists:
                values[key].append(value)
            else:
                OmegaConf.update(values, key, value or None)
        except OmegaConfBaseException as error:
            reason = str(error.msg).splitlines()[0]
            raise InputError(f"{word}: {reason}; type --help to list the options") from None
    return others, OmegaConf.to_object(values)
