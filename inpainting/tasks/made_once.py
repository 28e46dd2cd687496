"""Keeps what is made once from a training split, such as a judge, in a cache."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from inpainting.data.arrays import Split, writing

log = logging.getLogger(__name__)


def made_once(
    cache: str | Path, kind: str, key: str, make: Callable[[Path], Mapping[str, Any]]
) -> tuple[Path, dict[str, Any]]:
    """Return the folder of what was made; make it first if the cache lacks it.

    If several processes ask for it, one makes it and the others wait. What was written before an
    interruption is not kept.

    Args:
        cache: a folder; all that is made gets a folder `KINDs/KEY` in it
        kind: name of what is made, such as "tokenizer"
        key: changes with all that it depends on; see `fingerprint`
        make: writes files to a folder, and returns what is known about them

    Returns:
        the folder, and what is known about its files, from its `KIND.json`
    """
    folder = Path(cache).expanduser() / f"{kind}s" / key
    facts = folder / f"{kind}.json"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            what = kind.replace("_", " ")
            log.info("%s lacks a %s of these images: it is made now", folder.parent, what)
            with writing(folder) as part:
                known = make(part)
                (part / facts.name).write_text(json.dumps(known, indent=2) + "\n")
    return folder, json.loads(facts.read_text())


def fingerprint(split: Split, *details: Any) -> str:
    """Return 16 hex digits that change with any image, and with details that json can write."""
    shape = list(split.images.shape)
    digest = hashlib.sha256(json.dumps([shape, *details], sort_keys=True).encode())
    for start in range(0, len(split.images), 1024):
        digest.update(np.ascontiguousarray(split.images[start : start + 1024]).data)
    return digest.hexdigest()[:16]
