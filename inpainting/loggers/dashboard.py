"""A page in Weights & Biases that needs no setting up: batches as axis, bests, a test table.

wandb is imported only when a run begins, so that nobody who does not use it waits for the import.
"""

import logging
import math
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from hydra.core.hydra_config import HydraConfig
from lightning import Trainer
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from inpainting.images.saved import KINDS, saved_image
from inpainting.metrics.columns import Columns, ranked
from inpainting.runs.folder import SWEEP_JOB
from inpainting.runs.provenance import provenance
from inpainting.runs.results import Result

log = logging.getLogger(__name__)

AXIS = "batch"  # training batches from 0, as `step` in metrics.csv


def has_key() -> bool:
    """Return True if wandb finds an API key without asking for one."""
    import wandb
    from wandb.sdk.lib.wbauth import authenticate_session  # private, but searches everywhere

    found = authenticate_session(
        host=wandb.setup().settings.base_url,
        source="inpainting",
        prompt=False,
        update_session=False,
    )
    return found is not None


def is_reachable() -> bool:
    """Return False if no connection to wandb's server can be made; a proxy is taken at its word."""
    import wandb

    address = urlsplit(wandb.setup().settings.base_url)
    if getproxies().get(address.scheme):
        return True
    try:
        port = address.port or {"http": 80}.get(address.scheme, 443)
        with socket.create_connection((address.hostname, port), timeout=10):
            return True
    except OSError:
        return False


class Dashboard(WandbLogger):
    """Lightning's logger with all metrics plotted over the batches seen.

    Lightning's own axis has the same values when it logs, but its name promises optimiser steps, of
    which a joint phase of GLCIC takes two per batch.

    Args:
        save_dir: the run's folder; wandb writes to `wandb/` in it
        name: name of the wandb run; null joins the names of the run's folder and its parent
        group: group of the wandb run; null is the sweep's name in a sweep, and no group otherwise
        job_type: null is the command's name, train or evaluate
        tags: tags of the wandb run; null entries are left out
        offline: true writes only to the run's folder, for `wandb sync`; null does so if there is no
            key. The environment's WANDB_MODE wins over null
        **others: arguments of Lightning's logger and of `wandb.init`

    Attributes:
        columns: what validation measures; for each column with a better end, the run's summary
            shows the best value beside the last one
    """

    def __init__(
        self,
        *,
        save_dir: str,
        name: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: Sequence[str | None] = (),
        offline: bool | None = None,
        **others: Any,
    ):
        folder = Path(save_dir).absolute()
        if group is None and SWEEP_JOB in os.environ:
            group = folder.parent.name
        self._write_only = offline
        self.columns: Columns = {}
        typed = HydraConfig.initialized()  # False if other code builds the logger
        super().__init__(
            save_dir=save_dir,
            name=name or "/".join(folder.parts[-2:]),
            group=group,
            job_type=job_type or (HydraConfig.get().job.config_name if typed else None),
            tags=list(dict.fromkeys(str(tag) for tag in tags if tag)),
            **others,
        )
        self._wandb_init.pop("anonymous", None)  # set by Lightning, and wandb warns about it

    def _mode(self) -> str | None:
        """Return the mode for `wandb.init`; None leaves the mode to the environment."""
        if self._write_only is None:
            if "WANDB_MODE" in os.environ:
                return None
            if not has_key():
                return "offline"
            if not is_reachable():  # where wandb would try for minutes and then fail
                log.warning("Weights & Biases cannot be reached, so this run is logged offline")
                return "offline"
        return "offline" if self._write_only else None

    def _begin(self) -> Any:
        import wandb

        mode, code = self._mode(), provenance()
        settings = {"silent": mode == "offline"}  # `finish_run` replaces wandb's ten lines by one
        if code["commit"]:  # otherwise wandb takes the commit of the working directory
            settings["git_root"] = str(Path(__file__).parent)
            settings["git_commit"] = code["commit"].removesuffix("-dirty")
        run = wandb.init(
            **self._wandb_init,
            mode=mode,
            config={"code": code},
            settings=wandb.Settings(**settings),
        )
        for counter in (AXIS, "epoch"):
            run.define_metric(counter, hidden=True)
        run.define_metric("*", step_metric=AXIS)
        for column in ranked(self.columns):
            summary = f"{column.direction},last"
            run.define_metric(f"val/{column.name}", step_metric=AXIS, summary=summary)
        return run

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run, which begins at first use."""
        import wandb

        # A spawned process attaches to its parent's run, which Lightning's property does.
        attached = getattr(self, "_attach_id", None) is not None
        if self._experiment is None and not attached and wandb.run is None:
            self._experiment = self._begin()
        return super().experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log values that belong to a training batch."""
        self.experiment.log({**metrics, **({} if step is None else {AXIS: step})})

    def log_test(self, result: Result, images: Path) -> None:
        """Log the test's means to the summary, and a table of the images that were saved singly.

        Args:
            result: the result of the test
            images: the folder with `<index>_{target,masked,completion}.png`
        """
        import wandb

        means = {name: value for name, value in result.summary.items() if math.isfinite(value)}
        means["mask_hash"] = result.details["mask_hash"]
        self.experiment.summary.update({f"test/{name}": value for name, value in means.items()})
        table = wandb.Table(columns=["file", *KINDS, *result.rows])
        for row, file in enumerate(result.files):
            index = int(result.rows["index"][row])
            paths = [saved_image(images, index, kind) for kind in KINDS]
            if all(path.is_file() for path in paths):
                values = [column[row].item() for column in result.rows.values()]
                # Metrics of the hole are NaN without a hole, and a table cannot hold NaN.
                values = [value if math.isfinite(value) else None for value in values]
                table.add_data(file, *(wandb.Image(str(path)) for path in paths), *values)
        if table.data:
            self.experiment.log({"test/images": table})


def log_test(trainer: Trainer, result: Result, folder: Path) -> None:
    """Log the test of the run in `folder` to the dashboards among the trainer's loggers."""
    for logger in trainer.loggers:
        if isinstance(logger, Dashboard):
            logger.log_test(result, folder / "images" / "test")


@contextmanager
def finished() -> Iterator[None]:
    """Close the wandb run that begins in the block, as failed if an error ends the block."""
    try:
        yield
    except BaseException:
        finish_run(failed=True)
        raise
    finish_run(failed=False)  # otherwise the next job of a sweep would log to the same wandb run


def finish_run(failed: bool) -> None:
    """Close the wandb run if one is open; for an offline run, print how to upload it."""
    run = sys.modules["wandb"].run if "wandb" in sys.modules else None
    if run is None:
        return
    offline, folder = run.offline, Path(run.settings.sync_dir)
    run.finish(exit_code=int(failed))
    if offline:
        # A resumed run has several folders, which wandb uploads in turn into one run.
        name = f"*-{run.id}" if len(list(folder.parent.glob(f"*-{run.id}"))) > 1 else folder.name
        print(f"wandb: offline; wandb sync {folder.parent / name}")
