"""Two processes of one training hold one copy of the prepared images."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from inpainting.data import arrays

COUNT, SIDE = 4000, 64
SIZE = COUNT * SIDE * SIDE * 3


def mapped(process: int, name: str) -> tuple[int, int]:
    """Bytes of a file in a process's memory; the same with what it shares counted in part."""
    found = re.split(r"\n(?=[0-9a-f]+-)", Path(f"/proc/{process}/smaps").read_text())
    block = next((one for one in found if one.splitlines()[0].endswith(name)), "")
    sizes = [re.search(rf"^{key}:\s+(\d+) kB", block, re.MULTILINE) for key in ("Rss", "Pss")]
    return tuple(int(size[1]) * 1024 if size else 0 for size in sizes)


def descendants(process: int) -> list[int]:
    """A process and those that it has started."""
    found = [process]
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's memory maps")
def test_two_processes_of_a_training_share_the_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with arrays.writing(tmp_path / "prepared") as folder:
        for split, count in {"train": COUNT, "val": 8, "test": 8}.items():
            images = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
            rows = ((image, {"file": f"{n}.png", "class": ""}) for n, image in enumerate(images))
            arrays.write_split(folder, split, rows)
        arrays.write_manifest(folder, {})
    words = ["model=conv_ae", "data=folder", f"data.root={tmp_path}/prepared", "trainer=ddp_cpu"]
    words += ["data.batch_size=500", "trainer.max_epochs=50", "logger=none", "hydra.run.dir=run"]
    training = subprocess.Popen(
        [sys.executable, "-m", "inpainting.train", *words],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "INPAINTING_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end, sizes = time.monotonic() + 600, []
        # Each process reads another half in each epoch, so that both have soon read all of it.
        while not (len(sizes) == 2 and min(rss for rss, _ in sizes) > 0.95 * SIZE):
            assert training.poll() is None and time.monotonic() < end, sizes
            time.sleep(0.5)
            read = [mapped(one, "train.npy") for one in descendants(training.pid)]
            sizes = [size for size in read if size[0]]
    finally:
        os.killpg(training.pid, 9)
        training.wait()
    assert sum(pss for _, pss in sizes) < 1.1 * SIZE
