"""The single images that a test saves in a run's folder, and their names."""

from pathlib import Path

KINDS = ("target", "masked", "completion")
FOLDER = Path("images", "test")  # in a run's folder


def saved_image(folder: Path, index: int, kind: str) -> Path:
    """The file of one image of a kind, in the folder of the single images."""
    return folder / f"{index:05d}_{kind}.png"


def saved_indices(folder: Path, kind: str) -> list[int]:
    """The places in the test split of the images of a kind that lie there, rising."""
    suffix = f"_{kind}.png"
    return sorted(int(path.name.removesuffix(suffix)) for path in folder.glob(f"[0-9]*{suffix}"))
