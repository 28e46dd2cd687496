"""The web page on which completions are scored by eye, and its server.

Nothing that reaches the browser names a row, a kind or a file; images have opaque tokens.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request

from inpainting.errors import InputError
from inpainting.scoring.items import Item
from inpainting.scoring.order import Session
from inpainting.scoring.scores import HIGHEST, LOWEST
from inpainting.serving import protect

LARGEST_BODY = 10_000  # bytes of a request; a score takes some hundred


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
    protect(app, host, LARGEST_BODY)
    page = _Page(order, scorer, report)
    app.add_url_rule("/", view_func=page.open)
    app.add_url_rule("/state", view_func=page.state)
    app.add_url_rule("/score", view_func=page.score, methods=["POST"])
    app.add_url_rule("/image/<token>/<any(shown, hole):which>", view_func=page.image)
    return app


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
