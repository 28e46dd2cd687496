"""Compares two runs bit for bit."""

import csv
import json
from pathlib import Path

import torch


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def leaves(tree, path=()):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, (list, tuple)):
        for i, value in enumerate(tree):
            yield from leaves(value, (*path, i))
    else:
        yield path, tree


def assert_same(one: dict, two: dict) -> None:
    one, two = dict(leaves(one)), dict(leaves(two))
    assert one.keys() == two.keys()
    for path, value in one.items():
        equal = torch.equal(value, two[path]) if torch.is_tensor(value) else value == two[path]
        assert equal, path


def rows(folder: Path) -> list[dict]:
    with open(folder / "metrics.csv", newline="") as file:
        return sorted(
            ({k: v for k, v in row.items() if v != ""} for row in csv.DictReader(file)),
            key=lambda row: (int(row["step"]), sorted(row)),
        )


def numbers(folder: Path) -> dict:
    content = json.loads((folder / "metrics.json").read_text())
    return {
        k: v for k, v in content.items() if k.startswith(("psnr", "ssim", "l1", "mask", "loss"))
    }


def assert_same_run(one: Path, two: Path) -> None:
    first, second = checkpoint(one), checkpoint(two)
    assert_same(first["state_dict"], second["state_dict"])
    assert_same(first["optimizer_states"], second["optimizer_states"])
    assert rows(one) == rows(two)
    assert numbers(one) == numbers(two)
