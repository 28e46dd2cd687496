"""Names of the single images that a test saves in the folder of a run."""

from pathlib import Path

KINDS = ("target", "masked", "completion")
FOLDER = Path("images", "test")  # relative to the folder of the run


def saved_image(folder: Path, index: int, kind: str) -> Path:
    """Return the path of one saved image.

    Args:
        folder: the folder of the single images
        index: the position of the image in the test split
        kind: one of `KINDS`
    """
    return folder / f"{index:05d}_{kind}.png"


def saved_indices(folder: Path, kind: str) -> list[int]:
    """Return, sorted, the test-split positions of the images of one kind saved in `folder`."""
    suffix = f"_{kind}.png"
    return sorted(int(path.name.removesuffix(suffix)) for path in folder.glob(f"[0-9]*{suffix}"))
