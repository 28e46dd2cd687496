"""Reads what an offline wandb run wrote: the records of its `.wandb` file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEADER = 32768, 7  # LevelDB's log format, which begins with 7 bytes of wandb's own


def records(folder: Path) -> Iterator[Record]:
    """The records of the one run in a run's folder `wandb/`, in their order."""
    (path,) = folder.glob("*run-*/run-*.wandb")
    content, position, parts = path.read_bytes(), HEADER, b""
    while position < len(content):
        if BLOCK - position % BLOCK < HEADER:  # the rest of a block is left empty
            position += BLOCK - position % BLOCK
            continue
        length = int.from_bytes(content[position + 4 : position + 6], "little")
        kind = content[position + 6]  # 1: whole, 2 to 4: first, middle and last part
        parts += content[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def history(found: list[Record]) -> list[dict[str, Any]]:
    """What was logged, one dictionary a call."""
    return [
        {_key(item): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]


def summary(found: list[Record]) -> dict[str, Any]:
    """The run's summary at its end."""
    values: dict[str, Any] = {}
    for record in found:
        if record.WhichOneof("record_type") == "summary":
            values |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
    return values


def config(found: list[Record]) -> dict[str, Any]:
    """The run's configuration."""
    values: dict[str, Any] = {}
    for record in found:
        kind = record.WhichOneof("record_type")
        if kind in ("run", "config"):
            update = record.run.config.update if kind == "run" else record.config.update
            values |= {_key(item): json.loads(item.value_json) for item in update}
    return values
