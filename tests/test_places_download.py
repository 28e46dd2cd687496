"""Places365 is downloaded from where torchvision says, goes on after a break, and is checked."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import DATA_SETTINGS
from PIL import Image
from torchvision.datasets import Places365

from inpainting.data.download import download
from inpainting.data.places import PlacesDataModule
from inpainting.errors import InputError


class Server(ThreadingHTTPServer):
    """Serves files from memory, with ranges, and can break off in the middle of an answer."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.breaks_after, self.ranges = files, None, True
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(f"{self.path[1:]} {self.headers['Range']}")
        body = server.files.get(self.path[1:])
        if body is None:
            self.send_error(404)
            return
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if not server.ranges:
            start = 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if server.ranges else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][: server.breaks_after])


@pytest.fixture
def serve() -> Iterator:
    servers = []

    def start(files: dict[str, bytes]) -> Server:
        servers.append(Server(files))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_broke_off(serve, tmp_path: Path, ranges: bool) -> None:
    content = bytes(range(256)) * 500
    server = serve({"file": content})
    server.breaks_after, server.ranges = 50_000, ranges
    arguments = (f"{server.address}file", tmp_path / "file", md5(content))
    with pytest.raises(InputError, match="broke off after 50,000 of 128,000 bytes.*again"):
        download(*arguments)
    assert not (tmp_path / "file").exists()
    server.breaks_after = None
    download(*arguments)
    assert server.asked == ["file bytes=0-", "file bytes=50000-"]
    assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    download(*arguments)
    assert len(server.asked) == 2  # what is there is not asked for


def test_a_damaged_or_missing_file_is_one_sentence(serve, tmp_path: Path) -> None:
    server = serve({"file": b"damaged"})
    with pytest.raises(InputError, match="checksum.*deleted"):
        download(f"{server.address}file", tmp_path / "file", md5(b"whole"))
    with pytest.raises(InputError, match="404"):
        download(f"{server.address}other", tmp_path / "other", md5(b""))
    assert not list(tmp_path.iterdir())
    (tmp_path / "file.part").write_bytes(b"whole")  # complete, but killed before it was checked
    server.files["file"] = b"whole"
    download(f"{server.address}file", tmp_path / "file", md5(b"whole"))
    assert (tmp_path / "file").read_bytes() == b"whole"


def tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, body in files.items():
            details = tarfile.TarInfo(name)
            details.size = len(body)
            archive.addfile(details, io.BytesIO(body))
    return content.getvalue()


@pytest.mark.parametrize(("size", "inner"), [("small", "data_256"), ("large", "data_large")])
def test_places_arrives_in_its_layout(
    serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, inner: str
) -> None:
    image = io.BytesIO()
    Image.new("RGB", (20, 20), (9, 8, 7)).save(image, "PNG")
    lists = tar(
        {
            "categories_places365.txt": b"/s/sky 0\n/w/wave 1\n",
            "places365_train_standard.txt": b"".join(b"/s/sky/%d.png 0\n" % i for i in range(4)),
        }
    )
    images = tar({f"{inner}/s/sky/{i}.png": image.getvalue() for i in range(4)})
    server = serve({"lists.tar": lists, "images.tar": images})
    monkeypatch.setattr(Places365, "_BASE_URL", server.address)
    monkeypatch.setattr(Places365, "_DEVKIT_META", {"standard": ("lists.tar", md5(lists))})
    archive = {("train-standard", size == "small"): ("images.tar", md5(images))}
    monkeypatch.setattr(Places365, "_IMAGES_META", archive)

    def places() -> PlacesDataModule:
        root = {"root": tmp_path / "places", "cache": tmp_path / "cache", "size": size}
        return PlacesDataModule(**DATA_SETTINGS, **root, categories=[], download=True)

    data = places()
    data.prepare_data()
    assert sum(len(data.read_split(name).files) for name in ("train", "val", "test")) == 4
    folder = {"small": "data_256_standard", "large": "data_large_standard"}[size]
    assert data.read_split("train").files[0].startswith(f"{folder}/s/sky/")
    asked = list(server.asked)
    places().prepare_data()
    assert server.asked == asked
