"""Train the classifier of `metrics=labels` for a data set, unless it is cached; log its accuracy.

python -m inpainting.train_classifier data=mnist data.root=PATH

Training and evaluation do the same if the cache has no classifier.
"""

import sys

import hydra
from omegaconf import DictConfig

from inpainting import CONF
from inpainting.errors import exits_with_one_sentence
from inpainting.runs.arguments import check_free


@hydra.main(version_base="1.3", config_path=CONF, config_name="train_classifier")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Train one classifier, and write it to the cache."""
    # Imported here so that --help does not load torch and Lightning.
    from inpainting.tasks.build import build

    data = build(config.data)
    data.prepare_data()
    build(config.metrics.label_agreement.classifier)(data)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the command line, and train."""
    check_free(sys.argv[1:])
    run()


if __name__ == "__main__":
    main()
