"""Command lines of folders and key=value words, of commands that compose no configuration."""

import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import field, fields
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from inpainting.errors import InputError

Options = TypeVar("Options")


def option(default: Any, text: str) -> Any:
    """A dataclass field that can be typed as key=value, with its line of the help."""
    return field(default=default, metadata={"help": text})


def parse(
    module: str, description: str, options: type[Options], arguments: list[str] | None = None
) -> tuple[list[str], Options]:
    """Folders and options of a command line.

    Args:
        module: what is typed after `python -m`
        description: of the help
        options: a dataclass whose fields are made by `option`
        arguments: the words; None takes the process's own

    Raises:
        InputError: no folder, or an option that is unknown or cannot be.
    """
    pairs = {one.name: f"{one.name}={one.default or 'NAME'}" for one in fields(options)}
    width = max(len(pair) for pair in pairs.values())
    lines = [f"  {pairs[one.name]:{width}}  {one.metadata['help']}" for one in fields(options)]
    parser = ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="\n".join(["key=value:", *lines]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="FOLDER | key=value")
    words = parser.parse_args(arguments).words
    typed = [word for word in words if re.match(r"\w+=", word)]
    folders = [word for word in words if word not in typed]
    if not folders:
        raise InputError("type the folder of a sweep or of runs, such as outputs/sweeps/NAME")
    values = OmegaConf.structured(options)
    for word in typed:
        key, _, value = word.partition("=")
        if key not in pairs:
            raise InputError(f"{word}: no such key; there are {', '.join(pairs)}")
        try:
            OmegaConf.update(values, key, value or None)
        except OmegaConfBaseException as error:
            reason = str(error.msg).splitlines()[0]
            raise InputError(f"{word}: {reason}; --help lists the options") from None
    return folders, OmegaConf.to_object(values)
