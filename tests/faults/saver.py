"""Saves checkpoints without end, each with its number; test_kills.py kills it.

python saver.py FOLDER
"""

import sys
from itertools import count
from pathlib import Path

import torch

from inpainting.atomic import write_json
from inpainting.trainer.checkpoint_io import AtomicCheckpointIO

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for number in count():
        # Large enough that most kills hit the writing
        state = {"number": number, "state_dict": {"weight": torch.full((500_000,), float(number))}}
        AtomicCheckpointIO().save_checkpoint(state, folder / "last.ckpt")
        write_json(folder / "metrics.json", {"method": "saver", "number": number})
        print(number, flush=True)
