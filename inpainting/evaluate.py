"""Measure a run on any data and any kind of hole, next to the classical fills.

python -m inpainting.evaluate run=outputs/glcic/2026-01-31_12-00-00 mask=medium
python -m inpainting.evaluate run=… data=folder data.root=PATH against=[mean_fill,telea]
python -m inpainting.evaluate model=telea data=photos
python -m inpainting.evaluate -m run=… mask=half,strokes,box_10   # several, and a table of them
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from inpainting import CONF, help_text
from inpainting.errors import exits_with_one_sentence
from inpainting.runs import naming
from inpainting.runs.arguments import evaluation_arguments
from inpainting.runs.file_names import with_quotes
from inpainting.runs.folder import claimed, failure_noted
from inpainting.runs.starting import start
from inpainting.runs.typed import check_typed
from inpainting.stopping import stops_by_signal
from inpainting.sweeps.job import run_job


@hydra.main(version_base="1.3", config_path=CONF, config_name="evaluate")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Run one evaluation in a new folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        run_job(config, folder)
        return
    with stops_by_signal(), claimed(folder, resume=False), failure_noted(folder):
        # Imported here so that --help does not load torch and Lightning.
        from inpainting.tasks.evaluate import evaluate

        evaluate(config, folder)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the run's overrides and the typed ones, and measure."""
    help_text.answer_version(sys.argv[1:])
    naming.register_names()
    sys.argv[1:] = evaluation_arguments(with_quotes(sys.argv[1:]))
    check_typed("evaluate", sys.argv[1:])
    start(run)


if __name__ == "__main__":
    main()
