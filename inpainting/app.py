"""Paint a hole into an image and see it filled, on a page that this machine serves to a browser.

python -m inpainting.app
python -m inpainting.app run=outputs/glcic/2026-01-31_12-00-00 run=bundled/ddpm_digits model=telea
python -m inpainting.app run=outputs/cvae_gan/2026-01-31_12-00-00 port=8006 device=cpu

Each run= and model= is a method on the page, and several fill the same hole side by side. Where
none is typed, the page has the methods that come along. docs/painting.md is the manual.
"""

from dataclasses import dataclass

from inpainting import load, words
from inpainting.errors import InputError, exits_with_one_sentence
from inpainting.stopping import stops_by_signal
from inpainting.words import option

CLASSICAL = ("telea", "navier_stokes")  # need no weights: they are on the page if nothing is typed


@dataclass
class PageOptions:
    """The options of the command, typed as key=value."""

    run: list[str] = words.repeated("a run's folder, bundled/NAME or a file of export; any number")
    model: list[str] = words.repeated("telea, navier_stokes or mean_fill; any number")
    checkpoint: str = option("best", "best or last, of all runs")
    device: str | None = option(None, "cpu, cuda, …; a GPU is taken if there is one")
    host: str = option("127.0.0.1", "serves this machine only; 0.0.0.0 serves the whole network")
    port: int = option(8005, "port of the page; 0 takes any free port")
    waiting: int = option(8, "fills that may wait for the one in progress")
    megapixels: float = option(25.0, "largest image, in millions of pixels")
    megabytes: float = option(64.0, "largest image file with its mask, in MiB")


def parse(arguments: list[str] | None = None) -> PageOptions:
    """Parse a command line.

    Raises:
        InputError: see `words.parse`; or a number is out of range.
    """
    _, options = words.parse("inpainting.app", __doc__, PageOptions, arguments, folders=None)
    for key, least, most in (
        ("waiting", 0, 1000),
        ("megapixels", 0.001, 178),  # above, Pillow takes a file for a decompression bomb
        ("megabytes", 0.01, 2048),
    ):
        if not least <= getattr(options, key) <= most:
            raise InputError(f"{key}={getattr(options, key)}: type a number from {least} to {most}")
    if options.checkpoint not in ("best", "last"):
        raise InputError(f"checkpoint={options.checkpoint}: type best or last")
    return options


@exits_with_one_sentence
def main() -> None:
    """Load the methods, and serve the page until Ctrl-C."""
    options = parse()
    try:
        from inpainting.painting.server import Entry, Limits, make_page
        from inpainting.serving import is_loopback, listen
    except ModuleNotFoundError as error:
        raise InputError(
            f"the page needs {error.name}, which is not installed: "
            "type pip install 'inpainting[pages]'"
        ) from None
    from inpainting.runs.bundled import bundled

    typed = [("run", name) for name in options.run] + [("model", name) for name in options.model]
    if not typed:
        # The first is ticked when the page opens: one that fills images of any kind.
        typed = [*(("model", name) for name in CLASSICAL), *(("run", name) for name in bundled())]
    entries = []
    for key, name in typed:
        filler = load(name, device=options.device, checkpoint=options.checkpoint)
        if not filler.fills_holes:
            raise InputError(f"{key}={name}: {filler.name} reconstructs images and fills no holes")
        entries.append(Entry(filler, (key, name), options.checkpoint))
    limits = Limits(options.megabytes, options.megapixels, options.waiting)
    server, address = listen(make_page(entries, options.host, limits), options.host, options.port)
    print(f"Methods: {', '.join(name for _, name in typed)}.")
    if not is_loopback(options.host):
        print(
            f"Warning: host={options.host} lets everyone on the network fill images on this "
            "machine."
        )
    print(f"Open {address} in a browser; Ctrl-C ends.", flush=True)
    with stops_by_signal():
        server.serve_forever()


if __name__ == "__main__":
    main()
