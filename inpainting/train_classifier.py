"""Train a metric's classifier for a data set, unless it is cached; log its accuracy.

python -m inpainting.train_classifier data=mnist data.root=PATH
python -m inpainting.train_classifier data=celeba data.root=PATH metrics=attributes

Training and evaluation do the same if the cache has no classifier.
"""

import sys

import hydra
from omegaconf import DictConfig

from inpainting import CONF, help_text
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.runs.arguments import check_free
from inpainting.runs.file_names import with_quotes
from inpainting.runs.starting import start
from inpainting.runs.typed import check_typed


@hydra.main(version_base="1.3", config_path=CONF, config_name="train_classifier")
@exits_with_one_sentence
def run(config: DictConfig) -> None:
    """Train the classifiers that the metrics judge with, and write them to the cache.

    Raises:
        InputError: none of the metrics has a classifier.
    """
    # Imported here so that --help does not load torch and Lightning.
    from inpainting.tasks.build import build

    data = build(config.data)
    data.prepare_data()
    metrics = [metric for metric in config.metrics.values() if metric]
    found = [metric[key] for metric in metrics for key in ("classifier", "judge") if key in metric]
    if not found:
        raise InputError("these metrics have no classifier: type metrics=labels or attributes")
    for index, classifier in enumerate(found):
        if classifier not in found[:index]:
            build(classifier)(data)


@exits_with_one_sentence
def main() -> None:
    """Compose the configuration from the command line, and train."""
    help_text.answer_version(sys.argv[1:])
    sys.argv[1:] = with_quotes(sys.argv[1:])
    check_free(sys.argv[1:])
    check_typed("train_classifier", sys.argv[1:])
    start(run)


if __name__ == "__main__":
    main()
