"""What `predict` does: looks at all files, fills one after another, writes each at once."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inpainting.errors import InputError, check_choice, check_whole
from inpainting.filling.filler import BLENDS, MOST_SEED, Filler
from inpainting.filling.pairs import Filling, Pairs, check_outputs, pair, some
from inpainting.filling.survey import MaskReader, Survey, survey
from inpainting.filling.unfinished import Unfinished
from inpainting.images.files import read_photo
from inpainting.images.hole_edges import HoleEdges
from inpainting.images.photo import Photo
from inpainting.runs.opening import open_run
from inpainting.tasks.asking import ask
from inpainting.tasks.build import build_trainer
from inpainting.tasks.parts import method_of_run

# The keys that the results depend on, besides the method.
SETTINGS = ("checkpoint", "attributes", "mask_hole", "mask_threshold", "dilate", "feather", "blend")
SETTINGS += ("edit",)


def fill_files(config: DictConfig) -> None:
    """Fill the holes of image files, or edit whole images, as configured.

    Raises:
        InputError: a key is missing or cannot be used, or files do not fit; see `pair`,
            `method_of_run`, `survey` and `check_outputs`.
    """
    console = Console(highlight=False, soft_wrap=True)
    reader = _mask_reader(config)
    out, masks = Path(config.out), None if config.masks is None else Path(config.masks)
    pairs = pair(Path(config.input), masks, out)
    _check_partners(pairs, config)
    filler = _filler(config)
    seeds = _seeds(filler, config)
    job = Unfinished(out, _settings(config, seeds), len(seeds))
    with _display(console, config) as display:
        found = survey(pairs.fillings, reader, config.skip, _tracked(display, "looking at files"))
    already = [one for one in found.fillings if job.has(one)]
    to_fill = [one for one in found.fillings if one not in set(already)]
    check_outputs(to_fill, pairs.fillings, len(seeds), config.overwrite or job.continues)
    for line in [*_remarks(pairs, found, reader), *_of_method(filler, seeds, config)]:
        console.print(line)
    if already:
        console.print(f"Going on: {len(already)} of {len(found.fillings)} are in {out}")
    job.begin()
    written = len(already)
    try:
        with _display(console, config) as display:
            for filling in _tracked(display, "filling")(to_fill):
                photos = _filled(filler, filling, reader, seeds, config, display)
                share = found.shares.get(filling)
                _save(photos, filling.outputs(len(seeds)))
                job.add(filling)
                written += 1
                hole = "" if share is None else f", hole {100 * share:.1f} %"
                console.print(f"{filling.image}{hole}")
    except (KeyboardInterrupt, SystemExit) as stop:  # Ctrl-C, SIGTERM
        console.print(
            f"stopped: {written} of {len(found.fillings)} are in {out}; type the same command with "
            f"out={out} to go on"
        )
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else stop.code)
    job.end()
    done = "Edited" if config.edit else "Filled"
    times = f", {len(seeds)} times each" if len(seeds) > 1 else ""
    console.print(f"{done} {written} image(s){times}: {out}")


def _mask_reader(config: DictConfig) -> MaskReader:
    """Check what needs no file and no method, and return how masks are read."""
    if config.edit and config.masks is not None:
        raise InputError("edit=true changes whole images: leave out masks or leave out edit=true")
    for key in ("input",) if config.edit else ("input", "masks"):
        if config[key] is None:
            raise InputError(f"{key} is missing: type {key}=FILE_OR_FOLDER")
    check_choice("mask_hole", config.mask_hole, ("white", "black"))
    check_choice("blend", config.blend, BLENDS)
    return MaskReader(
        config.mask_hole, HoleEdges(config.mask_threshold, config.dilate, config.feather)
    )


def _check_partners(pairs: Pairs, config: DictConfig) -> None:
    """Refuse images without a mask, all at once, unless they are to be left out."""
    if pairs.without_mask and (not config.skip or not pairs.fillings):
        count = len(pairs.without_mask) + len(pairs.fillings)
        first = pairs.without_mask[0].stem
        raise InputError(
            f"{len(pairs.without_mask)} of {count} image(s) have no mask: "
            f"{some(pairs.without_mask)}. Put a mask of the same name, such as {first}.png, into "
            f"{config.masks}, or type skip=true to leave them out"
        )


def _filler(config: DictConfig) -> Filler:
    """Build the method, on the trainer's device and in its precision."""
    method, name = method_of_run(config)
    if not (method.fills_holes or config.edit):
        raise InputError(
            f"run={config.run}: {name} reconstructs images and fills no holes; type the run of "
            "another model, or edit=true without masks for reconstructions"
        )
    ask(method, name, config.attributes, config.edit)
    alone = config.copy()  # filling needs the trainer's device and precision, not its callbacks
    alone.callbacks = None
    trainer = build_trainer(alone)
    if trainer.world_size > 1:
        raise InputError(
            f"trainer.devices={config.trainer.devices}: predict fills on one device; type "
            "trainer.devices=1"
        )
    context = trainer.precision_plugin.forward_context
    return Filler(method, name, trainer.strategy.root_device, context)


def _seeds(filler: Filler, config: DictConfig) -> range:
    """Return a seed for each sample; the model's own settings hold where none is typed."""
    first = filler.method.completion_seed if config.seed is None else config.seed
    samples = filler.method.num_completions if config.samples is None else config.samples
    check_whole("seed", first, 0, MOST_SEED)
    check_whole("samples", samples, 1)
    return range(first, first + samples)


def _settings(config: DictConfig, seeds: range) -> dict[str, Any]:
    """Return what the results depend on."""
    values = OmegaConf.to_container(config, resolve=False)
    weights = None
    if config.run is not None:
        path = open_run(config.run).checkpoint(config.checkpoint)
        weights = [str(path.resolve()), path.stat().st_mtime_ns]
    return {
        **{key: values[key] for key in SETTINGS},
        "model": OmegaConf.to_container(config.model, resolve=True),
        "weights": weights,
        "seeds": [seeds.start, seeds.stop],
    }


def _remarks(pairs: Pairs, found: Survey, reader: MaskReader) -> list[str]:
    lines = found.remarks(reader)
    if pairs.surplus:
        lines.append(f"{len(pairs.surplus)} mask(s) belong to no image: {some(pairs.surplus)}")
    if pairs.without_mask:
        count = len(pairs.without_mask)
        lines.append(f"Left out, without a mask: {count} image(s): {some(pairs.without_mask)}")
    return lines + [f"Left out: {sentence}" for sentence in found.left_out]


def _of_method(filler: Filler, seeds: range, config: DictConfig) -> list[str]:
    """Return lines about what the method is not told, and what it draws."""
    lines = [
        f"attributes.{name} is not typed: completions are to be without it (0)"
        for name in filler.attributes
        if name not in filler.method.attributes.asked
    ]
    if len(seeds) > 1 and not filler.stochastic:
        lines.append(f"{filler.name} draws no random numbers: the samples of an image are equal")
    elif filler.stochastic:
        last = f" to {seeds[-1]}" if len(seeds) > 1 else ""
        lines.append(f"Seed {seeds[0]}{last}; seed=NUMBER draws others")
    return lines


def _filled(
    filler: Filler,
    filling: Filling,
    reader: MaskReader,
    seeds: range,
    config: DictConfig,
    display: Progress,
) -> list[Photo]:
    photo, asked = read_photo(filling.image), OmegaConf.to_container(config.attributes)
    if filling.mask is None:
        return [filler.edit_photo(photo, asked, seed) for seed in seeds]
    hole, _ = reader(filling.mask)
    if not filler.network_calls:
        return filler.fill_photo(photo, hole, asked, seeds, config.blend)
    task = display.add_task(filling.image.name)

    def tell(done: int, total: int, _: object) -> None:
        display.update(task, completed=done, total=total)

    try:
        return filler.fill_photo(photo, hole, asked, seeds, config.blend, tell)
    finally:
        display.remove_task(task)


def _save(photos: Sequence[Photo], paths: Sequence[Path]) -> None:
    for photo, path in zip(photos, paths, strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            photo.save(path)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}); mend that and type the same command "
                f"with this out=FOLDER to go on"
            ) from error


def _display(console: Console, config: DictConfig) -> Progress:
    shown = (config.callbacks or {}).get("progress") is not None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and config.trainer.enable_progress_bar and console.is_terminal),
    )


def _tracked(display: Progress, text: str) -> Callable[[Sequence[Filling]], Iterable[Filling]]:
    return lambda fillings: display.track(fillings, description=text)
