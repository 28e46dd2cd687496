"""A CSV log that a resumed run goes on with; Lightning's own deletes what is there."""

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
    """`metrics.csv` in the run's folder, by step; the configuration is in `config.yaml` already.

    Args:
        folder: the run's folder
        flush_logs_every_n_steps: batches between writes
    """

    def __init__(self, folder: str, flush_logs_every_n_steps: int = 100):
        super().__init__(
            folder, name="", version="", flush_logs_every_n_steps=flush_logs_every_n_steps
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer, made at first use."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(self.log_dir)
        return self._experiment

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: see `config.yaml`."""


def drop_rows_after(path: Path, step: int) -> None:
    """Take out what a killed training logged after its last checkpoint; it is about to repeat it.

    Args:
        path: metrics.csv; nothing happens where there is none
        step: batches that the checkpoint has seen
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
