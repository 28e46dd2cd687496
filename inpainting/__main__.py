"""List the commands, a line each.

python -m inpainting
python -m inpainting --version
"""

import sys

from inpainting.help_text import answer_version, docstring

COMMANDS = (
    "train",
    "prepare",
    "evaluate",
    "predict",
    "app",
    "export",
    "report",
    "score",
    "train_classifier",
    "wandb_view",
)


def main() -> None:
    """Print the version, or the commands."""
    answer_version(sys.argv[1:])
    for command in COMMANDS:
        print(f"python -m inpainting.{command:17} {docstring(command).splitlines()[0]}")
    print("\nEach has --help. The documentation is in README.md and docs/.")
    if sys.argv[1:] not in ([], ["--help"], ["-h"]):
        typed = sys.argv[1]
        hint = f": type python -m inpainting.{typed}" if typed in COMMANDS else ""
        print(f"\nerror: {typed}: no option of python -m inpainting{hint}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
