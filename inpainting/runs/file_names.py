"""File names as they are typed: Hydra's grammar would stop at a space, a comma or an umlaut."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

# The last part of the keys that hold paths. With -m or sweep=…, several are still a sweep.
PATHS = ("input", "masks", "out", "run", "resume", "init_from", "root", "prepared", "path", "dir")
PATHS += ("weights", "encoder", "decoder", "cache", "outputs", "against")


def quoted(key: str, value: object) -> str:
    """Write an override so that Hydra's grammar accepts any characters in the value."""
    return f"{key}={_in_quotes(str(value))}"


def with_quotes(arguments: list[str]) -> list[str]:
    """Quote what Hydra would not read as it is typed: names of files, and what it cannot parse.

    Args:
        arguments: of a command, without the name of the program
    """
    sweeps = any(
        text in ("-m", "--multirun", "hydra.mode=MULTIRUN")
        or (text.startswith("sweep=") and text not in ("sweep=", "sweep=null"))
        for text in arguments
    )
    return [_with_quotes(text, sweeps) for text in arguments]


def _with_quotes(text: str, sweeps: bool) -> str:
    key, equals, value = text.partition("=")
    if not equals or not value or key.startswith(("-", "~", "hydra.sweeper")):
        return text
    override = _parsed(text)
    path = key.lstrip("+").rpartition(".")[2] in PATHS
    if override is not None and not (path and _is_misread(override, sweeps)):
        return text
    if path and value[0] + value[-1] == "[]":
        return f"{key}=[{','.join(map(_element, value[1:-1].split(',')))}]"
    if sweeps:
        return f"{key}={','.join(map(_element, value.split(',')))}"
    return quoted(key, value)


def _parsed(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        return None


def _is_misread(override: Override, sweeps: bool) -> bool:
    """Return True if a path would become something else, such as a number or a sweep."""
    if override.is_sweep_override():
        return not sweeps
    return not isinstance(override.value(), str | list | None)


def _element(value: str) -> str:
    """Quote one of several values, if it needs quotes."""
    override = _parsed(f"key={value}")
    fine = override is not None and isinstance(override.value(), str | None)
    return value if fine else _in_quotes(value)


def _in_quotes(value: str) -> str:
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def unquoted(value: str) -> str:
    """Return the text of a value without the quotes it was typed or written in."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value.strip("'") if value[:1] + value[-1:] == "''" else value
