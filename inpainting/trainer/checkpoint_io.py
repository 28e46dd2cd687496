"""Atomic writing of checkpoints."""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import TorchCheckpointIO

from inpainting.atomic import write_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint IO, but an old checkpoint is kept until the new one is on the disk.

    Lightning writes to the system's folder for temporary files and moves the file from there. If
    that folder is on another file system, which is common in containers and on clusters, moving
    means truncating the old checkpoint and copying: a process killed at that moment leaves neither
    checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint completely or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, checkpoint)
