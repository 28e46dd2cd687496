"""What --help and --version print."""

import ast
import re
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

from omegaconf import OmegaConf

from inpainting import CONF

WIDTH = 100
NO_OPTIONS = ("base", "default")  # what the options of a group start from


def docstring(command: str) -> str:
    """Return the docstring of a command's module, which is not imported for it."""
    return ast.get_docstring(ast.parse((Path(__file__).parent / f"{command}.py").read_text())) or ""


def help_of(command: str) -> str:
    """Return the help of a command that Hydra composes.

    Args:
        command: name of its module and of its yaml
    """
    parts = [
        docstring(command),
        "Groups (GROUP=OPTION):",
        "\n".join(_entry(group, ", ".join(options)) for group, options in _groups(command).items()),
        "Keys of this command (KEY=VALUE):",
        "\n".join(_entry(key, text) for key, text in _keys(command).items()),
        f"Any key of the configuration can be typed, such as {_examples(command)}:\n"
        "--cfg job prints all of them, and the yaml of each option, in the folder conf/, says what "
        "they are.\nFile names are typed as they are, in the shell's quotes: "
        "'input=a, b (1).png'\n-m runs every combination of values with commas: "
        "seed=0,1,2. --hydra-help lists Hydra's own options.\nTab completion: "
        f'eval "$(inpainting-{command} -sc install=bash)"',
    ]
    return "\n\n".join(parts).replace("$", "$$")  # Hydra fills a string.Template


def answer_version(arguments: list[str]) -> None:
    """Print the version of this package and exit, if --version is typed."""
    if "--version" in arguments:
        print(f"inpainting {version('inpainting')}")
        sys.exit()


def _groups(command: str) -> dict[str, list[str]]:
    """Return the options of each group of a command, without what they start from."""
    top, own = Path(CONF), _defaults(command) | {"hydra"}
    found: dict[str, list[str]] = {}
    for path in sorted(top.rglob("*.yaml")):
        folder = path.parent.relative_to(top).as_posix()
        if path.relative_to(top).parts[0] not in own or path.stem in NO_OPTIONS:
            continue
        option = path.stem
        if folder.startswith("experiment/"):  # such as the rows of a table
            folder, _, below = folder.partition("/")
            option = f"{below}/{option}"
        found.setdefault(folder, []).append(option)
    return found


def _defaults(command: str) -> set[str]:
    """Return the groups that a command composes, its own and those of the yaml it starts from."""
    found: set[str] = set()
    for one in OmegaConf.load(Path(CONF) / f"{command}.yaml").defaults:
        if isinstance(one, str):
            found |= _defaults(one) if one != "_self_" else set()
        else:
            found |= {str(key).removeprefix("override ") for key in one}
    return found


def _examples(command: str) -> str:
    """Return a few keys that can be typed."""
    if "model" in _defaults(command):
        return "model.width=16 trainer.max_epochs=5 data.batch_size=64"
    return "data.image_size=128 detector.threshold=.5"


def _keys(command: str) -> dict[str, str]:
    """Return the values and comments of the keys at the top of a command's yaml."""
    lines = (Path(CONF) / f"{command}.yaml").read_text().splitlines()
    found = (re.match(r"(\w+): (\S.*?)\s+# (.*)", line) for line in lines)
    return {f"{match[1]}={match[2]}": match[3] for match in found if match}


def _entry(name: str, text: str) -> str:
    margin = " " * 22
    if len(name) > 21:  # too long for its column: the text goes below
        below = textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=margin)
        return f"{name}\n{below}"
    return textwrap.fill(f"{name:21} {text}", WIDTH, subsequent_indent=margin)


OmegaConf.register_new_resolver("help_of", help_of, replace=True)
