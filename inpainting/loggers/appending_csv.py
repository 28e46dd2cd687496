"""A CSV log that a resumed run continues; Lightning's own logger deletes the existing file."""

import csv
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from inpainting.atomic import replacing
from inpainting.runs.stored import read_lines


class _AppendingWriter(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        path = Path(self.metrics_file_path)
        if path.is_file():
            self.metrics_keys = next(iter(read_lines(path)), [])

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        _, rows = _read(path)
        _write(path, fieldnames, rows)


class AppendingCSVLogger(CSVLogger):
    """Writes `metrics.csv`, with a row per logged step, to the run's folder.

    Args:
        folder: the run's folder
        flush_logs_every_n_steps: number of batches between writes
    """

    def __init__(self, folder: str, flush_logs_every_n_steps: int = 100):
        super().__init__(
            folder, name="", version="", flush_logs_every_n_steps=flush_logs_every_n_steps
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer, created at first use."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(self.log_dir)
        return self._experiment

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Do nothing, because `config.yaml` holds the configuration."""


def drop_rows_after(path: Path, step: int, validated: bool) -> None:
    """Delete what a killed training logged after its last checkpoint, which a resume repeats.

    Args:
        path: path of metrics.csv; without such a file nothing happens
        step: number of batches that the checkpoint has seen
        validated: False if the checkpoint was written before any validation that followed the last
            of these batches
    """
    if not path.is_file():
        return
    header, rows = _read(path)
    validations = [name for name in header if name.startswith("val/")]

    def keep(row: dict[str, str]) -> bool:
        number = int(row["step"])  # Lightning counts from 0
        later = number == step - 1 and not validated and any(row[name] for name in validations)
        return number < step and not later

    _write(path, header, [row for row in rows if keep(row)])


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the header and the whole rows; rows are appended, so the last may be cut short."""
    header, *lines = read_lines(path) or [[]]
    return header, [dict(zip(header, row, strict=True)) for row in lines if len(row) == len(header)]


def _write(path: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    with replacing(path, newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)
