"""Fill holes in image files of any size, with masks given as files.

python -m inpainting.predict run=outputs/glcic/… input=photos/ masks=masks/ out=filled/
python -m inpainting.predict model=telea input=photo.jpg masks=mask.png out=filled/
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from inpainting import CONF, help_text
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.runs.arguments import evaluation_arguments, several
from inpainting.runs.file_names import with_quotes
from inpainting.runs.folder import claimed
from inpainting.runs.starting import start
from inpainting.runs.typed import check_typed
from inpainting.stopping import stops_by_signal


@hydra.main(version_base="1.3", config_path=CONF, config_name="predict")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Fill all images that `input` names."""
    with stops_by_signal(), claimed(Path(HydraConfig.get().runtime.output_dir), resume=False):
        # Imported here so that --help does not load torch and Lightning.
        from inpainting.filling.command import fill_files

        fill_files(config)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the run's overrides and the typed ones, and fill."""
    help_text.answer_version(sys.argv[1:])
    if several(sys.argv[1:]):
        raise InputError(
            "-m: predict fills with one setting at a time; type the command once for each, with "
            "another out=FOLDER"
        )
    sys.argv[1:] = evaluation_arguments(with_quotes(sys.argv[1:]))
    check_typed("predict", sys.argv[1:])
    start(run)


if __name__ == "__main__":
    main()
