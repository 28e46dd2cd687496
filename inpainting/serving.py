"""A page that this machine serves to a browser: who reaches it, how much it takes, and its port."""

import logging
import socket
from ipaddress import ip_address

from flask import Flask, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, make_server, select_address_family

from inpainting.errors import InputError

# The page loads nothing from other servers, browsers keep no image, and pages of other sites can
# neither frame this one nor learn its address.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MIB = 2**20


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach a server on this address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def protect(app: Flask, host: str, most_bytes: int) -> None:
    """Refuse requests from pages of other sites and requests that are too large.

    What is refused, and every `InputError`, is answered in JSON with one sentence as its `error`.

    Args:
        app: the app to protect
        host: address of the server; on a loopback address, requests for any other name of this
            machine are refused
        most_bytes: of the body of a request
    """
    names = {"localhost", "127.0.0.1", "[::1]", host, f"[{host}]"}
    app.config["MAX_CONTENT_LENGTH"] = most_bytes

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

    @app.errorhandler(413)
    def too_large(_: HTTPException) -> tuple[Response, int]:
        limit = f"{most_bytes / MIB:g} MiB" if most_bytes >= MIB else f"{most_bytes:,} bytes"
        return jsonify(error=f"this is larger than the {limit} that the page takes at once"), 413

    @app.errorhandler(InputError)
    def one_sentence(error: InputError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400


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
