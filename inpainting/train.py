"""Train a method, test its best checkpoint, and leave numbers and images in the run's folder.

python -m inpainting.train model=glcic data=places data.root=PATH
python -m inpainting.train resume=outputs/glcic/2026-01-31_12-00-00
python -m inpainting.train model=telea data=photos        # nothing to train: tests only
python -m inpainting.train sweep=glcic_table data.root=PATH seed=0,1,2   # a report's table
python -m inpainting.train -m model.width=16,32           # any other sweep, by Hydra
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from inpainting import CONF, help_text
from inpainting.errors import exits_with_one_sentence
from inpainting.runs.arguments import resume_arguments
from inpainting.runs.file_names import with_quotes
from inpainting.runs.folder import claimed, failure_noted
from inpainting.runs.interrupted import requeued, says_how_to_continue
from inpainting.runs.starting import start
from inpainting.runs.typed import check_typed
from inpainting.stopping import stops_by_signal
from inpainting.sweeps.job import run_job


@hydra.main(version_base="1.3", config_path=CONF, config_name="train")
@exits_with_one_sentence
def run(config: DictConfig) -> float | None:
    """Run one training; return the best value of the monitored number, for Hydra's sweepers."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_job(config, folder)
    if requeued(folder):
        config.resume = str(folder)
    resume = config.resume is not None
    with (
        stops_by_signal(),
        says_how_to_continue(folder),
        claimed(folder, resume),
        failure_noted(folder),
    ):
        # Imported here so that --help does not load torch and Lightning.
        from inpainting.tasks.train import train

        return train(config, folder)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the command line, and train."""
    help_text.answer_version(sys.argv[1:])
    sys.argv[1:] = resume_arguments(with_quotes(sys.argv[1:]))
    check_typed("train", sys.argv[1:])
    start(run)


if __name__ == "__main__":
    main()
