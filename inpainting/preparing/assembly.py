"""The last stage: everything that a preparation writes to its folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpainting.data import arrays
from inpainting.data.base import DRAW_FIXED_HOLES
from inpainting.data.listing import Listing
from inpainting.masks.drawing import Kind
from inpainting.preparing.counts import counts_table, write_class_counts
from inpainting.preparing.decoding import Decoded
from inpainting.preparing.holes import hole_columns
from inpainting.preparing.near_duplicates import hashes, near_pairs
from inpainting.preparing.people import People
from inpainting.preparing.progress import stage
from inpainting.preparing.selection import Selection
from inpainting.preparing.sheet import contact_sheet
from inpainting.preparing.writing import PEOPLE, write_broken, write_near_duplicates, write_people

TABLE, SHEET = "counts.md", "sheet.png"


@dataclass(frozen=True)
class NotedHoles:
    """The fixed holes that are noted beside the images.

    Attributes:
        mask: kind of hole
        side: of the images that a training uses, in pixels; they may be stored larger
        seed: of the holes of the training images
        eval_mask_seed: of the holes of validation and test
        local_share: side of the local crop as a share of the image's side
    """

    mask: Kind
    side: int
    seed: int
    eval_mask_seed: int
    local_share: float

    def key(self, split: str) -> tuple[int, ...]:
        """Return what seeds the holes of a split, as the data module does."""
        return (self.seed, DRAW_FIXED_HOLES) if split == "train" else (self.eval_mask_seed,)


@dataclass(frozen=True)
class Preparation:
    """What the stages have found.

    Attributes:
        listing: the image files
        decoded: their images
        people: what a detector found in them, or None
        threshold: lowest score of an image that is left out
        selection: what is kept
        holes: which holes are noted
        near_duplicates: largest distance of two hashes that is named; None looks for none
    """

    listing: Listing
    decoded: Decoded
    people: People | None
    threshold: float
    selection: Selection
    holes: NotedHoles
    near_duplicates: int | None

    def write(
        self, out: Path, settings: dict[str, Any], details: dict[str, Any], max_bytes: float | None
    ) -> str:
        """Write the prepared folder, whole or not at all.

        Args:
            out: the folder
            settings: for the manifest
            details: for the manifest
            max_bytes: of the images in one file

        Returns:
            the table of counts
        """
        names = sorted(set(self.listing.classes))
        out.parent.mkdir(parents=True, exist_ok=True)
        with arrays.writing(out) as part:
            with stage("writing", int(self.selection.kept.sum())) as advance:
                for split in arrays.SPLITS:
                    rows = self._rows(split, advance)
                    arrays.write_split(part, split, rows, max_bytes)
            table = self._write_tables(part)
            sheet = contact_sheet(
                self.listing, self.selection, self.people, self.threshold, self.holes.seed
            )
            sheet.save(part / SHEET)
            counts = {
                "listed": len(self.listing.files),
                "broken": len(self.decoded.broken),
                "people": int(self.selection.with_people.sum()),
                **{name: len(indices) for name, indices in self.selection.splits.items()},
            }
            arrays.write_manifest(
                part,
                settings,
                names if any(names) else (),
                list(self.listing.attributes),
                {"counts": counts, **details},
            )
        return table

    def _rows(self, split: str, advance: Any) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        indices = self.selection.splits[split]
        files = [self.listing.files[index] for index in indices]
        holes = self.holes
        boxes = hole_columns(holes.mask, files, holes.side, holes.local_share, *holes.key(split))
        images = self.decoded.read(indices)
        for number, (index, image, box) in enumerate(zip(indices, images, boxes, strict=True)):
            yield image, self.listing.row(index) | box
            if number % 256 == 255:
                advance(256)
        advance(len(indices) % 256)

    def _write_tables(self, folder: Path) -> str:
        if self.people is not None:
            write_people(folder / PEOPLE, self.listing, self.people, self.selection, self.threshold)
        if self.decoded.broken:
            write_broken(folder / "broken.csv", self.listing, self.decoded.broken)
        near = None
        if self.near_duplicates is not None:
            pairs = near_pairs(self._hashes(), self.near_duplicates)
            near = write_near_duplicates(folder / "near_duplicates.csv", self.listing, pairs)
        write_class_counts(folder / "counts.csv", self.listing.classes, self.selection)
        table = counts_table(self.selection, self.people, self.threshold, near)
        (folder / TABLE).write_text(table)
        return table

    def _hashes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found = {}
        with stage("near-duplicates", int(self.selection.kept.sum())) as advance:
            for split, indices in self.selection.splits.items():
                codes, positions = hashes(self.decoded.read(indices), len(indices))
                found[split] = codes, indices[positions]
                advance(len(indices))
        return found
