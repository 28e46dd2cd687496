"""A CSV log that a resumed run continues; Lightning's own logger deletes the existing file."""

import csv
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from inpainting.atomic import replacing


class _AppendingWriter(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        path = Path(self.metrics_file_path)
        if path.is_file():
            with open(path, newline="") as file:
                self.metrics_keys = next(csv.reader(file), [])


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


def drop_rows_after(path: Path, step: int) -> None:
    """Delete what a killed training logged after its last checkpoint, which a resume repeats.

    Args:
        path: path of metrics.csv; without such a file nothing happens
        step: number of batches that the checkpoint has seen
    """
    if not path.is_file():
        return
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        header, rows = reader.fieldnames or [], list(reader)
    with replacing(path, newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        # Lightning counts steps from 0.
        writer.writerows(row for row in rows if int(row["step"]) < step)
