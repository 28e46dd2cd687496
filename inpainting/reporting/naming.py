"""Short texts that say in which keys settings of the same name differ."""

import re
from collections.abc import Sequence

KEYS = 4  # most keys that a label shows
LENGTH = 20  # most characters of a value that is not a number; the end of a path says more
DIGITS = 4  # significant digits of a fraction, or more where values differ only in later digits
WHOLE = re.compile(r"[+-]?\d+")
FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=e))(e[+-]?\d+)?", re.IGNORECASE)


def differences(settings: Sequence[dict[str, str]]) -> list[str]:
    """Return `key=value` texts of the keys that differ, one text for each setting.

    The text of an empty setting is empty.
    """
    known = [setting for setting in settings if setting]
    keys = sorted({key for setting in known for key in setting})
    differ = [key for key in keys if len({setting.get(key) for setting in known}) > 1]
    shown = {key: _short(key, differ) for key in differ[:KEYS]}
    texts = {key: _readable({setting.get(key, "") for setting in known}) for key in shown}
    more = ", …" if len(differ) > KEYS else ""
    return [
        ", ".join(f"{name}={texts[key][setting.get(key, '')]}" for key, name in shown.items())
        + more
        if setting
        else ""
        for setting in settings
    ]


def _short(key: str, others: list[str]) -> str:
    """Return the last part of a dotted key, or the last two if another key ends the same."""
    last = key.rpartition(".")[2]
    alike = [other for other in others if other.rpartition(".")[2] == last]
    return ".".join(key.split(".")[-2:]) if len(alike) > 1 else last


def _readable(values: set[str]) -> dict[str, str]:
    """Return each value as a label shows it: fractions rounded, other long texts cut."""
    fractions = {value: float(value) for value in values if FRACTION.fullmatch(value)}
    distinct, digits = set(fractions.values()), DIGITS
    while len({f"{number:.{digits}g}" for number in distinct}) < len(distinct):
        digits += 1
    rounded = {value: f"{number:.{digits}g}" for value, number in fractions.items()}
    return {value: rounded.get(value) or _cut(value) for value in values}


def _cut(value: str) -> str:
    return value if len(value) <= LENGTH or WHOLE.fullmatch(value) else f"…{value[1 - LENGTH :]}"
