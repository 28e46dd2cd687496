"""Starts a command by Hydra, so that what Hydra refuses ends in one sentence."""

import os
import re
from collections.abc import Callable
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)

from inpainting.errors import InputError

COMPOSING = (ConfigCompositionException, OverrideParseException, SearchPathException)
SAYS_NOTHING = ("full_key:", "object_type=", "reference_type=", "Set the environment", "See https")


def start(run: Callable[[], Any]) -> None:
    """Compose the configuration and run a command.

    Args:
        run: decorated by `hydra.main`

    Raises:
        InputError: Hydra cannot compose what was typed.
    """
    # Hydra would print its errors itself, over several lines, and exit.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        run()
    except COMPOSING as error:
        raise InputError(sentence(error)) from error


def sentence(error: HydraException) -> str:
    """Return what Hydra says about a command line that it cannot compose, in one line."""
    causes = [error, *([error.__cause__] if error.__cause__ else [])]
    lines = [line.strip() for cause in causes for line in str(cause).splitlines()]
    lines = [line.rstrip(".") for line in lines if line and not line.startswith(SAYS_NOTHING)]
    if match := re.match("Ambiguous value for argument '(.*?)=(.*)'", lines[0]):
        key, value = match.groups()
        return (
            f"{key}={value}: type -m to run the command with each of these values, or "
            f"{key}=[{value}] for a list"
        )
    if isinstance(error, OverrideParseException):
        return f"{error.override}: there is no such option; type KEY=VALUE, as --help shows"
    if isinstance(error, MissingConfigException):
        return f"{lines[0]}; --help lists the options"
    return f"{'; '.join(dict.fromkeys(lines))}; --cfg job shows all keys"
