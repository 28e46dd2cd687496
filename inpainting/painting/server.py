"""The web page on which a hole is painted into an image and filled, and its server.

The server keeps no image: the browser sends it with each fill. What it keeps are the results of the
last fills, until the browser has fetched them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import cv2
from flask import Flask, Response, abort, jsonify, render_template, request
from torch import Tensor

from inpainting.errors import InputError, check_choice, check_whole
from inpainting.filling.filler import BLENDS, Filler
from inpainting.filling.kinds import check_pair
from inpainting.images.files import read_mask, read_photo
from inpainting.images.photo import Photo
from inpainting.painting.commands import predict_command
from inpainting.painting.examples import EXAMPLES, example
from inpainting.painting.queue import FillQueue, Ticket
from inpainting.painting.uploads import Upload, grey_levels
from inpainting.serving import MIB, protect

MOST_SAMPLES = 16
LARGEST_SEED = 10**9 - 1  # that a person reads and types without effort
ESTIMATE_SIDE = 512  # px; an estimate is looked at for a moment, and is shrunk to this


@dataclass(frozen=True)
class Entry:
    """A method on the page.

    Args:
        filler: that fills
        typed: how the method is named in a command, such as ("run", "outputs/glcic/STAMP")
        checkpoint: of its run
    """

    filler: Filler
    typed: tuple[str, str]
    checkpoint: str = "best"

    @property
    def title(self) -> str:
        """The method's name on the page."""
        return self.filler.name

    @property
    def described(self) -> str:
        """What tells it from others of its name, and what to expect of it."""
        said = [self.typed[1] if self.typed[0] == "run" else "needs no training"]
        if self.filler.side is not None:
            said.append(f"windows of {self.filler.side} px")
        if self.filler.network_calls is not None:
            said.append(f"{self.filler.network_calls:,} network calls")
        if self.filler.channels == 1:
            said.append("grey")
        return ", ".join(said)


@dataclass(frozen=True)
class Limits:
    """What the page takes.

    Args:
        megabytes: MiB of one request, which holds an image and its mask
        megapixels: millions of pixels of an image
        waiting: fills that wait behind the one in progress
    """

    megabytes: float = 64
    megapixels: float = 25
    waiting: int = 8


def make_page(entries: Sequence[Entry], host: str, limits: Limits) -> Flask:
    """Create the Flask app that serves the page and fills.

    Args:
        entries: the methods to choose from
        host: address of the server, see `protect`
        limits: what it takes
    """
    app = Flask(__name__, template_folder="pages", static_folder="pages", static_url_path="/page")
    protect(app, host, int(limits.megabytes * MIB))
    page = _Painting(entries, limits)
    app.add_url_rule("/", view_func=page.open)
    app.add_url_rule("/example/<name>", view_func=page.example)
    app.add_url_rule("/image", view_func=page.image, methods=["POST"])
    app.add_url_rule("/mask", view_func=page.mask, methods=["POST"])
    app.add_url_rule("/fill", view_func=page.fill, methods=["POST"])
    app.add_url_rule("/ticket/<name>", view_func=page.ticket)
    app.add_url_rule("/ticket/<name>", view_func=page.drop, methods=["DELETE"])
    app.add_url_rule("/ticket/<name>/estimate/<int:number>", view_func=page.estimate)
    app.add_url_rule("/ticket/<name>/result/<int:number>", view_func=page.result)
    return app


class _Painting:
    """Answers to the browser's requests."""

    def __init__(self, entries: Sequence[Entry], limits: Limits):
        self.entries, self.limits = entries, limits
        self.queue = FillQueue(limits.waiting)
        self._decoding = Lock()  # large images are decoded one at a time, which bounds the memory

    def open(self) -> str:
        attributes = {name: None for one in self.entries for name in one.filler.attributes}
        return render_template(
            "painting.html",
            entries=self.entries,
            attributes=list(attributes),
            examples=EXAMPLES,
            most_samples=MOST_SAMPLES,
            largest_seed=LARGEST_SEED,
            limits=self.limits,
        )

    def example(self, name: str) -> Response:
        return _png(example(name)) if name in EXAMPLES else abort(404)

    def image(self) -> Response:
        """Check an image, and return one that the browser can show, with its size."""
        upload = self._upload("image", "this image")
        with self._decoding:
            photo = upload.decoded(read_photo)
            shown = upload.content if upload.browsers_show_it else photo.png(effort=1)
        response = Response(shown, mimetype="application/octet-stream")
        response.headers["X-Size"] = f"{photo.pixels.shape[1]}x{photo.pixels.shape[0]}"
        return response

    def mask(self) -> Response:
        """Return a mask as its grey levels, row by row."""
        upload = self._upload("mask", "this mask")
        with self._decoding:
            hole = upload.decoded(read_mask)
        height, width = hole.shape[2:]
        wanted = _whole("width", 1), _whole("height", 1)
        if (width, height) != wanted:
            raise InputError(
                f"this mask is {width} x {height}, but the image is {wanted[0]} x {wanted[1]}: "
                "choose the mask of this image"
            )
        return Response(grey_levels(hole), mimetype="application/octet-stream")

    def fill(self) -> tuple[Response, int]:
        """Let a fill wait for its turn; whatever can be refused is refused now."""
        number = _whole("method", 0, len(self.entries) - 1)
        entry = self.entries[number]
        image, mask = self._upload("image", "the image"), self._upload("mask", "the mask")
        samples, seed = _whole("samples", 1, MOST_SAMPLES), _whole("seed", 0, LARGEST_SEED)
        seeds = range(seed, seed + (samples if entry.filler.stochastic else 1))
        blend = request.form.get("blend", "paste")
        check_choice("blend", blend, BLENDS)
        chosen = request.form.getlist("attribute")
        attributes = {name: float(name in chosen) for name in entry.filler.attributes}
        with self._decoding:
            _check_hole(image.decoded(read_photo), mask.decoded(read_mask))

        def work(tell: Callable) -> list[bytes]:
            photo, hole = image.decoded(read_photo), mask.decoded(read_mask)
            filled = entry.filler.fill_photo(photo, hole, attributes, seeds, blend, tell)
            return [one.png(effort=1) for one in filled]  # somebody waits

        ticket = self.queue.put(work)
        name = request.form.get("name", "")
        drawn = seeds if entry.filler.stochastic else None
        command = predict_command(entry.typed, entry.checkpoint, name, drawn, blend, attributes)
        return jsonify(ticket=ticket.id, seeds=list(seeds), command=command), 202

    def ticket(self, name: str) -> Response:
        """Say how far a fill is."""
        ticket = self.queue.get(name)
        return jsonify(
            state=ticket.state,
            text=self._said(ticket),
            done=ticket.done,
            total=ticket.total,
            version=ticket.version,
            estimates=len(ticket.estimates),
        )

    def _said(self, ticket: Ticket) -> str:
        if ticket.state == "waiting":
            place = self.queue.place(ticket)
            return f"waiting: {place} fill{'s' * (place != 1)} before this one"
        if ticket.state == "filling" and ticket.total:
            return f"{ticket.done:,} of {ticket.total:,} network calls"
        if ticket.state == "done":
            return f"filled in {ticket.seconds:.1f} s"
        return ticket.error or f"{ticket.state} …"

    def estimate(self, name: str, number: int) -> Response:
        estimates = self.queue.get(name).estimates
        if number >= len(estimates):  # the fill has ended since the browser was told of it
            return Response(status=204)
        return _png(_shrunk(estimates[number]))

    def result(self, name: str, number: int) -> Response:
        results = self.queue.get(name).results
        return _png(results[number]) if number < len(results) else abort(404)

    def drop(self, name: str) -> Response:
        self.queue.drop(self.queue.get(name))
        return jsonify()

    def _upload(self, key: str, name: str) -> Upload:
        file = request.files.get(key)
        content = b"" if file is None else file.stream.read()
        return Upload(content, name, self.limits.megapixels)


def _whole(key: str, least: int, most: int | None = None) -> int:
    """Read a whole number that the browser sent."""
    text = request.form.get(key, "")
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
    check_whole(key, value, least, most)
    return int(value)


def _check_hole(photo: Photo, hole: Tensor) -> None:
    """Refuse a mask that the page's own canvas can mend, in the words of the page."""
    if not (hole > 0).any():
        raise InputError("nothing is painted: paint over what is to be filled")
    if (hole > 0).all():
        raise InputError(
            "the whole image is painted, which leaves nothing to fill it from: erase a part, or "
            "press Invert if the other pixels were meant"
        )
    check_pair(photo, hole)


def _png(content: bytes) -> Response:
    return Response(content, mimetype="image/png")


def _shrunk(photo: Photo) -> bytes:
    """Return an estimate as a PNG file, quickly."""
    height, width = photo.pixels.shape[:2]
    share = ESTIMATE_SIDE / max(height, width)
    if share >= 1:
        return photo.png(effort=1)
    size = max(1, round(share * width)), max(1, round(share * height))
    small = cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)
    return replace(photo, pixels=small.reshape(size[1], size[0], -1), exif=None).png(effort=1)
