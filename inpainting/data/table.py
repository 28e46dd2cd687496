"""The csv beside the images of a split."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# File names on Linux are bytes; surrogateescape keeps those that are not UTF-8 intact in the csv.
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def read_columns(path: Path, attributes: Sequence[str]) -> tuple[list[str], list[str], np.ndarray]:
    """Read files, classes and attributes (N, A) from a csv, without holding its other columns.

    Whole lines would take at least four times the memory: a gigabyte for two million images.

    Raises:
        OSError: it cannot be read.
        ValueError: a column is missing, or a line has too few.
    """
    files, classes, values, names = [], [], [], {}
    with open(path, **TEXT) as table:
        lines = csv.reader(table)
        header = next(lines, [])
        file, label, *others = (header.index(name) for name in ("file", "class", *attributes))
        for line in lines:
            if not line:
                continue
            if len(line) != len(header):
                raise ValueError(f"line {lines.line_num} of {path.name} has {len(line)} columns")
            files.append(line[file])
            classes.append(names.setdefault(line[label], line[label]))  # one string for each class
            if others:
                values.append([float(line[one]) for one in others])
    return files, classes, np.array(values, np.float32)
