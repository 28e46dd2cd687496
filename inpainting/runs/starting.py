"""Starts a command by Hydra, so that what Hydra refuses ends in one sentence."""

import os
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
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(SAYS_NOTHING)]
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {lines[0].rstrip('.')}; put the value into quotes"
    if isinstance(error, MissingConfigException):
        return f"{lines[0].rstrip('.')}; --help lists the options"
    return f"{'; '.join(dict.fromkeys(lines)).rstrip('.')}; --cfg job shows all keys"
