"""Score completions by eye, blind, on a page that this machine serves to a browser.

python -m inpainting.score outputs/sweeps/glcic_table
python -m inpainting.score outputs/sweeps/glcic_table scorer=anna port=8005
python -m inpainting.score outputs/glcic/2026-01-31_12-00-00 outputs/evaluate/telea/…

The images are those that a test writes to images/test (callbacks.images.count of each run).
Each scorer sees the images in a different order, with true images and repeats mixed in. Scores are
appended to FOLDER/scores/SCORER.csv as they are given; the same name continues where it stopped.
`python -m inpainting.report` adds the scores to its table.
"""

import shlex
from dataclasses import dataclass

from inpainting import words
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.scoring.items import find_completions
from inpainting.scoring.order import Session, order
from inpainting.words import option


@dataclass
class ScoreOptions:
    """The options of the command, typed as key=value."""

    scorer: str | None = option(
        None, "name of the scorer; the page asks for a name if none is typed"
    )
    host: str = option("127.0.0.1", "serves this machine only; 0.0.0.0 serves the whole network")
    port: int = option(8004, "port of the page; 0 takes any free port")
    targets: float = option(0.1, "true images mixed in, as a share of the completions; each once")
    duplicates: float = option(0.1, "completions shown twice, as a share of the completions")


def parse(arguments: list[str] | None = None) -> tuple[list[str], ScoreOptions]:
    """Parse a command line into folders and options.

    Raises:
        InputError: see `words.parse`; or a share lies outside 0 to 1.
    """
    folders, options = words.parse("inpainting.score", __doc__, ScoreOptions, arguments)
    for key in ("targets", "duplicates"):
        value = getattr(options, key)
        if not 0 <= value <= 1:
            raise InputError(f"{key}={value}: type a share from 0 to 1")
    return folders, options


@exits_with_one_sentence
def main() -> None:
    """Serve the page until Ctrl-C."""
    folders, options = parse()
    completions, left_out = find_completions(folders)
    if options.scorer is not None:
        Session(options.scorer, completions)  # refuses a name that cannot name a file
    try:
        from inpainting.scoring.server import make_app
        from inpainting.serving import is_loopback, listen
    except ModuleNotFoundError as error:
        raise InputError(
            f"the page needs {error.name}, which is not installed: "
            "type pip install 'inpainting[pages]'"
        ) from None
    app = make_app(
        lambda scorer: order(completions, scorer, options.targets, options.duplicates),
        options.host,
        options.scorer,
        shlex.join(["python", "-m", "inpainting.report", *folders]),
    )
    server, address = listen(app, options.host, options.port)
    runs = len({item.folder for item in completions})
    print(f"{len(completions)} completions of {runs} runs to score.")
    for folder, reason in left_out.items():
        print(f"Left out: {folder}: {reason}")
    if not is_loopback(options.host):
        print(
            f"Warning: host={options.host} lets everyone on the network see and score the images."
        )
    homes = sorted({str(item.home / "scores") for item in completions})
    print(f"Scores are written to {' and '.join(homes)} as they are given.")
    print(f"Open {address} in a browser; Ctrl-C ends.", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
