"""Prepare a data set once: decode, find people, split, draw holes, and write arrays to train on.

python -m inpainting.prepare data=places data.root=PATH out=FOLDER detector.download=true
python -m inpainting.prepare data=places data.root=PATH out=OTHER detector.threshold=.5   # seconds
python -m inpainting.prepare data=folder data.root=PATH out=FOLDER detector=none
python -m inpainting.train data=places data.prepared=FOLDER

Killed at any moment and typed again, it goes on, and writes what it would have written.
"""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from inpainting import CONF, help_text
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.runs.arguments import key_of
from inpainting.runs.file_names import with_quotes
from inpainting.runs.starting import start
from inpainting.runs.typed import check_typed
from inpainting.stopping import stops_by_signal


@hydra.main(version_base="1.3", config_path=CONF, config_name="prepare")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Prepare the data set."""
    check_detector_is_meant()
    with stops_by_signal():
        # Imported here so that --help does not load torch and Lightning.
        from inpainting.tasks.prepare import prepare

        prepare(config)


def check_detector_is_meant() -> None:
    """Refuse to take people out of a data set for which nobody asked for it, such as faces.

    Raises:
        InputError: another data set than the default one was typed, and no detector.
    """
    defaults = OmegaConf.load(f"{CONF}/prepare.yaml").defaults
    usual = next(one["data"] for one in defaults if "data" in one)
    composed = HydraConfig.get()
    data = composed.runtime.choices["data"]
    if data != usual and "detector" not in map(key_of, composed.overrides.task):
        raise InputError(
            f"data={data}: type detector=none to keep all images, or detector=yolo or "
            "detector=torchvision to leave out those with people"
        )


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the command line, and prepare."""
    help_text.answer_version(sys.argv[1:])
    sys.argv[1:] = with_quotes(sys.argv[1:])
    check_typed("prepare", sys.argv[1:])
    start(run)


if __name__ == "__main__":
    main()
