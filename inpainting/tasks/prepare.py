"""A whole preparation: list, decode, find people, divide, draw holes, write."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from inpainting.data.arrays import is_prepared, read_manifest
from inpainting.data.decoded import DecodedDataModule
from inpainting.data.listing import Listing, listing_fingerprint
from inpainting.detectors.base import Detector
from inpainting.errors import InputError
from inpainting.images.files import DECODING
from inpainting.preparing.assembly import SHEET, TABLE, NotedHoles, Preparation
from inpainting.preparing.decoding import decode_images
from inpainting.preparing.disagreement import People, compare, read_people
from inpainting.preparing.people import find_people
from inpainting.preparing.selection import select
from inpainting.runs.provenance import provenance
from inpainting.tasks.build import build

log = logging.getLogger(__name__)

# Keys of the data that say where it is and how it is read, and not what is prepared.
ELSEWHERE = ("root", "cache", "prepared", "download", "num_workers", "batch_size")
ELSEWHERE += ("eval_batch_size", "augment", "train_holes", "attributes", "mask")


def prepare(config: DictConfig) -> None:
    """Prepare a data set as configured, and print the table of its counts.

    Raises:
        InputError: a setting is impossible, the data set needs no preparation, the folder to write
            holds something else, or a stage cannot go on.
    """
    data = build_data(config)
    detector = build(config.detector) if config.detector else None
    against, other = opponent(config)
    out = Path(config.out).expanduser()
    if out.exists() and not is_prepared(out) and any(out.iterdir()):
        raise InputError(f"out={out} is not empty: delete it or type another folder")
    data.fetch()
    listing = data.whole_listing()
    log.info("%d images are listed in %s", len(listing.files), listing.root)
    source = listing_fingerprint(listing, {})
    settings = {"source": source} | settings_of(config, detector)
    if is_prepared(out):
        before = read_manifest(out)["settings"]
        if before != settings:
            key = next(key for key in settings if before.get(key) != settings[key])
            if key == "decoding":
                raise InputError(
                    f"out={out} was prepared by an earlier version, which decodes otherwise: train "
                    "on it as it is, or type another folder"
                )
            raise InputError(
                f"out={out} holds images that were prepared from other files or with another "
                f"{key}: type another folder, or delete that one"
            )
        show_counts(out, "is complete already")
        if against:
            with locked(out):
                print(compare(out, listing.root, against, other, detector.threshold))
        return
    work = Path(config.work).expanduser() / source
    work.mkdir(parents=True, exist_ok=True)
    with locked(work):
        made = run_stages(config, data, listing, detector, work)
        details = provenance(("pillow", "ultralytics"))
        made.write(out, settings, details, config.max_file_bytes)
    show_counts(out, "is complete")
    if against:
        with locked(out):
            print(compare(out, listing.root, against, other, detector.threshold))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands from writing to a folder.

    Raises:
        InputError: another command is writing to it.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another command is preparing these files in {folder}: wait for it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def opponent(config: DictConfig) -> tuple[Path | None, People]:
    """Return the folder of the preparation that this one is compared with, and its people.

    Raises:
        InputError: there is no such folder, or no detector to compare it with.
    """
    if not config.against:
        return None, {}
    if not isinstance(config.against, str):
        raise InputError(f"against={config.against}: type one folder that prepare wrote")
    if not config.detector:
        raise InputError("against compares two detectors: type detector=yolo or another one")
    folder = Path(config.against).expanduser()
    return folder, read_people(folder)


def build_data(config: DictConfig) -> DecodedDataModule:
    """Build the data module, which must be one of image files that are not prepared yet.

    Raises:
        InputError: it is another one.
    """
    data = build(config.data)
    if not isinstance(data, DecodedDataModule):
        raise InputError(
            "this data set needs no preparation, because its images are not decoded from files: "
            "type data=folder for images of your own"
        )
    prepared = [root for root in data.roots if is_prepared(root)]
    if prepared:
        raise InputError(f"{prepared[0]} holds prepared images already: train on it as it is")
    return data


def run_stages(
    config: DictConfig,
    data: DecodedDataModule,
    listing: Listing,
    detector: Detector | None,
    work: Path,
) -> Preparation:
    """Run the stages that an earlier command has not finished.

    Raises:
        InputError: a file is broken, and data.on_error is "stop"; or no image of a split is left.
    """
    divided = listing.indices(data.shares, data.split_seed)  # first, because it may refuse
    workers = os.cpu_count() or 1 if config.workers is None else config.workers
    side = data.stored_size
    folder = work / f"decoded-{side}-{data.channels}-{DECODING}"
    decoded = decode_images(listing, folder, data.channels, side, data.on_error, workers)
    if decoded.broken:
        count, first = len(decoded.broken), min(decoded.broken)
        reason = decoded.broken[first]
        log.warning("%d of %d files cannot be read: %s", count, len(listing.files), reason)
    people, threshold = None, 1.0
    if detector is not None:
        text = json.dumps([type(detector).__name__, detector.settings], sort_keys=True)
        folder = work / f"people-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        people = find_people(listing, folder, detector, decoded.broken, workers)
        threshold = detector.threshold
    return Preparation(
        listing=listing,
        decoded=decoded,
        people=people,
        threshold=threshold,
        selection=select(listing, divided, decoded.broken, people, threshold),
        holes=NotedHoles(
            data.mask, data.image_size, data.seed, data.eval_mask_seed, config.local_share
        ),
        near_duplicates=config.near_duplicates,
    )


def settings_of(config: DictConfig, detector: Detector | None) -> dict[str, Any]:
    """Return all that the prepared folder depends on besides the files, as json reads it back."""
    data = OmegaConf.to_container(config.data, resolve=True)
    settings = {
        "data": {key: value for key, value in data.items() if key not in ELSEWHERE},
        "mask": OmegaConf.to_container(config.mask, resolve=True),
        "detector": None,
        "decoding": DECODING,
        **{key: config[key] for key in ("local_share", "near_duplicates", "max_file_bytes")},
    }
    if detector is not None:
        settings["detector"] = detector.settings | {"threshold": detector.threshold}
    return json.loads(json.dumps(settings))


def show_counts(out: Path, what: str) -> None:
    """Print the table of counts, and where things are."""
    print((out / TABLE).read_text())
    print(f"{out} {what}. Look at {out / SHEET}, then train with data.root={out}")
