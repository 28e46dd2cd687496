"""A run's page in Weights & Biases that needs no clicking: batches as axis, bests, a test table.

wandb is imported where a run begins: who does not ask for it does not wait for it.
"""

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

AXIS = "batch"  # training batches from 0, as `step` in metrics.csv


def has_key() -> bool:
    """Whether wandb would find a key without asking for one."""
    import wandb
    from wandb.sdk.lib.wbauth import authenticate_session  # not public, but knows all its places

    found = authenticate_session(
        host=wandb.setup().settings.base_url,
        source="inpainting",
        prompt=False,
        update_session=False,
    )
    return found is not None


class Dashboard(WandbLogger):
    """Lightning's logger with all metrics over the batches seen.

    Lightning's own axis is the same number where it logs, but has a name that promises optimiser
    steps, of which a joint phase of GLCIC takes two a batch.

    Args:
        save_dir: the run's folder; wandb writes to `wandb/` in it
        name: null is the run's folder and the one it lies in
        group: null is the sweep's name in a sweep, and no group otherwise
        job_type: null is the command's name, train or evaluate
        tags: null ones are left out
        offline: write to the run's folder alone, for `wandb sync`; null: where there is no key.
            The environment's WANDB_MODE wins over null
        **others: Lightning's and those of `wandb.init`

    Attributes:
        columns: what validation measures; the run's summary shows the best of each that has a
            better end, beside its last value
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
        typed = HydraConfig.initialized()  # else it is built within other code
        super().__init__(
            save_dir=save_dir,
            name=name or "/".join(folder.parts[-2:]),
            group=group,
            job_type=job_type or (HydraConfig.get().job.config_name if typed else None),
            tags=list(dict.fromkeys(str(tag) for tag in tags if tag)),
            **others,
        )
        self._wandb_init.pop("anonymous", None)  # Lightning's; wandb warns of it

    def _mode(self) -> str | None:
        """What `wandb.init` is to be told; None leaves it to the environment."""
        if self._write_only is None:
            return None if "WANDB_MODE" in os.environ or has_key() else "offline"
        return "offline" if self._write_only else None

    def _begin(self) -> Any:
        import wandb

        mode, code = self._mode(), provenance()
        settings = {"silent": mode == "offline"}  # `finish` says in one line what wandb says in ten
        if code["commit"]:  # otherwise wandb's own: that of where the command was typed
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
        for one in ranked(self.columns):
            run.define_metric(f"val/{one.name}", step_metric=AXIS, summary=f"{one.direction},last")
        return run

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run, begun at first use."""
        import wandb

        # A process that was spawned attaches to its parent's run, as Lightning does it.
        attached = getattr(self, "_attach_id", None) is not None
        if self._experiment is None and not attached and wandb.run is None:
            self._experiment = self._begin()
        return super().experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log values that belong to a training batch."""
        self.experiment.log({**metrics, **({} if step is None else {AXIS: step})})

    def log_test(self, result: Result, images: Path) -> None:
        """The test's means in the summary, and a table of the images that were saved singly.

        Args:
            result: of the test
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
                # What has no hole has no metric of it, and a table no NaN.
                values = [value if math.isfinite(value) else None for value in values]
                table.add_data(file, *(wandb.Image(str(path)) for path in paths), *values)
        if table.data:
            self.experiment.log({"test/images": table})


def log_test(trainer: Trainer, result: Result, folder: Path) -> None:
    """The test of the run in a folder, to the dashboards among the trainer's loggers."""
    for logger in trainer.loggers:
        if isinstance(logger, Dashboard):
            logger.log_test(result, folder / "images" / "test")


@contextmanager
def finished() -> Iterator[None]:
    """Close what wandb run was begun within, as failed where an error ends it."""
    try:
        yield
    except BaseException:
        finish_run(failed=True)
        raise
    finish_run(failed=False)  # in a sweep the next run must be a run of its own


def finish_run(failed: bool) -> None:
    """Close the wandb run, if one is open; of one that is offline, say how to send it."""
    run = sys.modules["wandb"].run if "wandb" in sys.modules else None
    if run is None:
        return
    offline, folder = run.offline, Path(run.settings.sync_dir)
    run.finish(exit_code=int(failed))
    if offline:
        # A resumed run has several folders, which wandb sends one after the other into one run.
        name = f"*-{run.id}" if len(list(folder.parent.glob(f"*-{run.id}"))) > 1 else folder.name
        print(f"wandb: offline; wandb sync {folder.parent / name}")
