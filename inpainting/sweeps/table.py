"""The table at the end of a sweep: what became of each job."""

import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inpainting.runs.folder import failure_reason, status


def print_jobs(jobs: list[Path], folder: Path, began: float) -> None:
    """Print a sweep's jobs, and how to go on.

    Args:
        jobs: their folders
        folder: of the sweep
        began: time of its start, s; what was finished before was skipped
    """
    table = Table("job", "seed", "status", "hole PSNR", "hole SSIM", "error")
    typed = [_hydra(job, "overrides") for job in jobs]
    for job, own in zip(jobs, typed, strict=True):
        config = _hydra(job, "config")
        varied = [t for t in own if not (t.startswith("seed=") or all(t in one for one in typed))]
        name = config.get("row") or f"{job.name} {', '.join(varied)}"
        cells = [escape(name), str(config.get("seed", "")), _became(job, began), *_numbers(job)]
        table.add_row(*cells, escape(failure_reason(job)))
    console = Console()
    if not console.is_terminal:  # a pipe or a log has no width of its own
        console = Console(width=180)
    console.print(table)
    command = f"python -m inpainting.report {folder}"
    console.print(command, soft_wrap=True, highlight=False, markup=False)


def _hydra(job: Path, name: str) -> DictConfig | list[str]:
    """What Hydra keeps of a job: its overrides, or its configuration; empty of one not started."""
    path = job / ".hydra" / f"{name}.yaml"
    return OmegaConf.load(path) if path.is_file() else OmegaConf.create()


def _became(job: Path, began: float) -> str:
    if status(job) == "finished" and (job / "metrics.json").stat().st_mtime < began:
        return "skipped"
    return status(job)


def _numbers(job: Path) -> list[str]:
    """Test PSNR and SSIM in the hole; empty where there are none."""
    path = job / "metrics.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    values = [(content.get(name), digits) for name, digits in (("psnr_hole", 2), ("ssim_hole", 4))]
    return ["" if value is None else f"{value:.{digits}f}" for value, digits in values]
