"""Write a run into one file that fills anywhere a run does, or as a graph for other programs.

python -m inpainting.export run=outputs/glcic/STAMP out=model.safetensors
python -m inpainting.export run=outputs/glcic/STAMP out=model.onnx
"""

from dataclasses import dataclass
from pathlib import Path

from inpainting import words
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.words import option

SUFFIXES = (".safetensors", ".onnx", ".pt2")


@dataclass
class ExportOptions:
    """The options of the command, typed as key=value."""

    run: str | None = option(None, "folder of the run; must be given")
    out: str | None = option(
        None, "the file: .safetensors for inpainting, .onnx or .pt2 (torch.export) for others"
    )
    checkpoint: str = option("best", "weights of the best validation; last: of the training's end")
    half: bool = option(False, "true stores weights in 16 bits: half the size (.safetensors)")
    overwrite: bool = option(False, "true replaces a file that exists")


def parse(arguments: list[str] | None = None) -> ExportOptions:
    """Parse a command line.

    Raises:
        InputError: see `words.parse`; or run or out is missing or cannot be used.
    """
    _, options = words.parse("inpainting.export", __doc__, ExportOptions, arguments, folders=None)
    for key in ("run", "out"):
        if getattr(options, key) is None:
            raise InputError(f"{key} is missing: type run=FOLDER out=FILE.safetensors")
    out = Path(options.out).expanduser()
    if out.suffix not in SUFFIXES:
        raise InputError(f"out={out}: type a name that ends in {', '.join(SUFFIXES)}")
    if options.half and out.suffix != SUFFIXES[0]:
        raise InputError(f"half=true: {out.suffix} files have 32 bits; leave it out")
    return options


@exits_with_one_sentence
def main() -> None:
    """Build the run's method and write it."""
    options = parse()
    out = Path(options.out).expanduser()
    if not out.parent.is_dir():
        raise InputError(f"out={out}: there is no folder {out.parent}; make it, or type another")
    if out.exists() and not options.overwrite:
        raise InputError(f"{out} exists already: type overwrite=true, or another out=FILE")
    # Imported here so that --help does not load torch and Lightning.
    from inpainting.filling.load import method_alone
    from inpainting.runs.arguments import quoted
    from inpainting.runs.exported import write_exported
    from inpainting.runs.opening import open_run

    run = open_run(options.run)
    typed = [quoted("run", options.run), f"checkpoint={options.checkpoint}"]
    method, name, config = method_alone(typed)
    if out.suffix == SUFFIXES[0]:
        write_exported(method, run, config.model, out, options.half)
    else:
        from inpainting.filling.one_pass import write_graph

        write_graph(method, name, config.data.image_size, out)
    print(f"{name}: {out}, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
