"""The web page on which completions are scored by eye, and its server.

Nothing that reaches the browser names a row, a kind or a file; images have opaque tokens.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from threading import Lock
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.serving import BaseWSGIServer, make_server, select_address_family

from inpainting.errors import InputError
from inpainting.scoring.items import Item
from inpainting.scoring.order import Session
from inpainting.scoring.scores import HIGHEST, LOWEST

# The page loads nothing from other servers, browsers keep no image, and pages of other sites can
# neither frame this one nor learn its address.
LARGEST_BODY = 10_000  # bytes; a score takes some hundred
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach a server on this address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_app(
    order: Callable[[str], Sequence[Item]],
    host: str = "127.0.0.1",
    scorer: str | None = None,
    report: str = "",
) -> Flask:
    """Create the Flask app that serves the page, its images and its scores.

    Args:
        order: returns all images in the order of the scorer with the given name
        host: address of the server; on a loopback address, requests for any other name of this
            machine are refused
        scorer: name of the scorer whose page opens first; None asks for the name
        report: command that makes a table with the scores, shown at the end
    """
    # Whoever can reach the page could fill the memory with one request.
    app = Flask(__name__, template_folder="pages", static_folder="pages", static_url_path="/page")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    _keep_others_out(app, host)
    page = _Page(order, scorer, report)
    app.add_url_rule("/", view_func=page.open)
    app.add_url_rule("/state", view_func=page.state)
    app.add_url_rule("/score", view_func=page.score, methods=["POST"])
    app.add_url_rule("/image/<token>/<any(shown, hole):which>", view_func=page.image)
    app.register_error_handler(InputError, lambda error: (jsonify(error=str(error)), 400))
    return app


def _keep_others_out(app: Flask, host: str) -> None:
    """Refuse requests from pages of other sites, and keep those pages from framing this one."""
    names = {"localhost", "127.0.0.1", "[::1]", host, f"[{host}]"}

    @app.before_request
    def refuse_other_sites() -> None:
        # The origin keeps a page of another site from posting here. The host name keeps it from
        # reading, when it has pointed a name of its own at this address (DNS rebinding).
        foreign = request.origin not in (None, request.host_url.rstrip("/"))
        if foreign or (is_loopback(host) and request.host.rsplit(":", 1)[0] not in names):
            abort(403)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response


class _Page:
    """Answers to the browser's requests, for every scorer who opens the page."""

    def __init__(self, order: Callable[[str], Sequence[Item]], scorer: str | None, report: str):
        self._order, self._scorer, self._report = order, scorer, report
        self._lock, self._sessions = Lock(), {}

    def _session(self) -> Session:
        name = (request.args.get("scorer") or self._scorer or "").strip()
        if name not in self._sessions:
            self._sessions[name] = Session(name, self._order(name))
        return self._sessions[name]

    def open(self) -> str:
        try:
            session = self._session()
        except InputError:
            return render_template("name.html", typed=request.args.get("scorer", "").strip())
        scale = range(LOWEST, HIGHEST + 1)
        return render_template("score.html", scorer=session.scorer, scale=scale)

    def state(self) -> Response:
        with self._lock:
            return jsonify(_state(self._session(), request.args.get("item"), self._report))

    def score(self) -> Response:
        given = request.get_json()
        if not isinstance(given, dict) or not isinstance(given.get("item"), str):
            raise InputError("a score is sent as JSON with item, local and global")
        with self._lock:
            session = self._session()
            if given.get("item") not in session.items:
                raise InputError("this image is not one of those to score; reload the page")
            marks = given.get("local"), given.get("global")
            if not all(type(mark) is int for mark in marks):
                raise InputError(f"a score is a whole number from {LOWEST} to {HIGHEST}")
            session.record(given["item"], *marks)
            return jsonify(_state(session, None, self._report))

    def image(self, token: str, which: str) -> Response:
        item = self._session().items.get(token) or abort(404)
        path = item.shown if which == "shown" else item.file("masked")
        # Not send_file: the file's name and date in its headers would reveal which image it is.
        return Response(path.read_bytes(), mimetype="image/png")


def _state(session: Session, wanted: str | None, report: str) -> dict[str, Any]:
    """Return what the page shows: the wanted image if it has a score, else the first without."""
    given = session.given()
    done = list(given)
    token = wanted
    if wanted not in given:
        token = next((token for token in session.items if token not in given), None)
    place = done.index(token) if token in given else len(done)
    answer = {
        "item": token,
        "number": place + 1,
        "scored": len(done),
        "total": len(session.items),
        "previous": done[place - 1] if place else None,
    }
    if token in given:
        answer |= {"local": given[token].local_score, "global": given[token].global_score}
    return answer | ({"report": report} if token is None else {})


def listen(app: Flask, host: str, port: int) -> tuple[BaseWSGIServer, str]:
    """Open a server on a host and port.

    Args:
        app: the app to serve
        host: host name or address of this machine
        port: port from 1 to 65535; 0 takes any free port

    Returns:
        the server, ready for `serve_forever`, and its address

    Raises:
        InputError: the port is taken or out of range, or the address is not this machine's.
    """
    family = select_address_family(host, port)
    try:
        listening = socket.create_server((host, port), family=family)
    except OverflowError:
        raise InputError(
            f"port={port}: no such port; type a number from 0 (any free port) to 65535"
        ) from None
    except OSError as error:
        raise InputError(
            f"host={host} port={port}: cannot listen there ({error.strerror}); type another port, "
            "or port=0 for any free port"
        ) from None
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # drops a log line per image
    with listening:  # the server duplicates the file descriptor
        server = make_server(host, port, app, threaded=True, fd=listening.fileno())
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return server, f"http://{shown}:{server.port}/"
