"""Atomic writing of checkpoints."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from inpainting.atomic import replacing


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
        with replacing(path, "wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                # A signal within torch.save becomes an error about the unfinished archive.
                stopped = error.__context__
                if isinstance(stopped, KeyboardInterrupt | SystemExit):
                    raise stopped from error
                raise
