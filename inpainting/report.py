"""Tables and a page of a sweep, or of any runs and evaluations.

python -m inpainting.report outputs/sweeps/glcic_table
python -m inpainting.report outputs/glcic outputs/evaluate metric=psnr_hole,lpips out=outputs/board
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from inpainting.errors import InputError, exits_with_one_sentence

KEYS = {
    "metric": "metrics whose difference to the base row is given [psnr_hole,ssim_hole]",
    "base": "row that all others are compared with [what each run's compared_with says]",
    "out": "folder to write to [the one folder given; its report/ if it is a run; "
    "outputs/report for several]",
}
WRITTEN = ("table.md", "table.csv", "table.tex", "report.html")


def parsed(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Folders and key=value words.

    Raises:
        InputError: no folder, or an unknown key.
    """
    keys = "\n".join(f"  {key + '=VALUE':13} {text}" for key, text in KEYS.items())
    parser = ArgumentParser(
        prog="python -m inpainting.report",
        description=f"{__doc__}\n{keys}\n\nWrites {', '.join(WRITTEN)} and pictures/.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="*", metavar="FOLDER|KEY=VALUE")
    words = parser.parse_args(arguments).folders
    pairs = [word.split("=", 1) for word in words if "=" in word and not Path(word).exists()]
    for key, _ in pairs:
        if key not in KEYS:
            raise InputError(f"{key}=…: no such key; there are {', '.join(KEYS)}")
    folders = [word for word in words if "=" not in word or Path(word).exists()]
    if not folders:
        raise InputError("type the folder of a sweep or of runs, such as outputs/sweeps/NAME")
    return folders, dict(pairs)


def default_out(folders: list[str]) -> Path:
    """Where a report is looked for first."""
    if len(folders) > 1:
        return Path("outputs") / "report"
    only = Path(folders[0])
    return only / "report" if (only / "metrics.json").is_file() else only


@exits_with_one_sentence
def main() -> None:
    """Write a report, print its table in short and where it is."""
    folders, keys = parsed(sys.argv[1:])
    from inpainting.reporting.build import METRICS, report  # torch and matplotlib: not for --help
    from inpainting.reporting.terminal import show

    metrics = keys["metric"].split(",") if keys.get("metric") else list(METRICS)
    out = Path(keys["out"]) if keys.get("out") else default_out(folders)
    show(report(folders, out, metrics, keys.get("base")))


if __name__ == "__main__":
    main()
