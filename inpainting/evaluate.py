"""Measure a run on any data and any kind of hole, next to the classical fills.

python -m inpainting.evaluate run=outputs/glcic/2026-01-31_12-00-00 mask=medium
python -m inpainting.evaluate run=… data=folder data.root=PATH against=[mean_fill,telea]
python -m inpainting.evaluate model=telea data=photos
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting import CONF
from inpainting.errors import exits_with_one_sentence
from inpainting.runs.arguments import evaluation_arguments
from inpainting.runs.folder import claimed


@hydra.main(version_base="1.3", config_path=CONF, config_name="evaluate")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Run one evaluation in a new folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with claimed(folder, resume=False):
        # Imported here so that --help does not load torch and Lightning.
        from inpainting.tasks.evaluate import evaluate

        evaluate(config, folder)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the run's overrides and the typed ones, and measure."""
    sys.argv[1:] = evaluation_arguments(sys.argv[1:])
    run()


if __name__ == "__main__":
    main()
