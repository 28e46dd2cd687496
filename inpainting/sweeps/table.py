"""The table at the end of a sweep, with the status of each job."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inpainting.runs.status import failure_reason, results_of, status
from inpainting.runs.stored import read_stored


def print_jobs(jobs: list[Path], folder: Path, began: float) -> None:
    """Print the jobs of a sweep, and the command that reports on them.

    Args:
        jobs: folders of the jobs
        folder: of the sweep
        began: start of the sweep, in seconds since the epoch; a job that finished before it was
            skipped
    """
    table = Table("job", "seed", "status", "hole PSNR", "hole SSIM", "error")
    typed = [_hydra(job, "overrides") for job in jobs]
    for job, own in zip(jobs, typed, strict=True):
        config = _hydra(job, "config")
        varied = [
            t for t in own if not (t.startswith("seed=") or all(t in other for other in typed))
        ]
        # The folder of an evaluation says what was asked.
        name = job.name if "run" in config else config.get("row")
        name = name or f"{job.name} {', '.join(varied)}"
        cells = [escape(name), str(config.get("seed", "")), outcome(job, began), *_numbers(job)]
        table.add_row(*cells, escape(failure_reason(job)))
    console = Console()
    if not console.is_terminal:  # a pipe or a log file has no width
        console = Console(width=180)
    console.print(table)
    command = f"python -m inpainting.report {folder}"
    console.print(command, soft_wrap=True, highlight=False, markup=False)


def _hydra(job: Path, name: str) -> DictConfig | list[str]:
    """Read the "overrides" or "config" that Hydra stored for a job; empty if it never started."""
    path = job / ".hydra" / f"{name}.yaml"
    return read_stored(path) if path.is_file() else OmegaConf.create()


def outcome(job: Path, began: float) -> str:
    """Return the status of a job; "skipped" if it was finished before the sweep began."""
    if status(job) == "finished" and (job / "metrics.json").stat().st_mtime < began:
        return "skipped"
    return status(job)


def _numbers(job: Path) -> list[str]:
    """Return test PSNR and SSIM in the hole as text; empty if they were not measured."""
    content = results_of(job) or {}
    values = [(content.get(name), digits) for name, digits in (("psnr_hole", 2), ("ssim_hole", 4))]
    return ["" if value is None else f"{value:.{digits}f}" for value, digits in values]
