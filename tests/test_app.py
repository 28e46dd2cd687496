"""The page on which a hole is painted and filled: what it takes, its queue, and a real browser."""

import io
import re
import resource
import shlex
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import wait_for
from PIL import Image

import inpainting
from inpainting.app import parse
from inpainting.errors import InputError
from inpainting.painting.commands import predict_command
from inpainting.painting.examples import EXAMPLES, example
from inpainting.painting.queue import FillQueue, Ticket

server = pytest.importorskip("inpainting.painting.server", reason="the page needs Flask")
serving = pytest.importorskip("inpainting.serving", reason="the page needs Flask")
LIMITS = server.Limits(megabytes=2, megapixels=0.1, waiting=3)


class Recording:
    """A filler that keeps what it was given, as the page's server has decoded it."""

    def __init__(self, filler):
        self.filler, self.given = filler, []

    def __getattr__(self, name: str):
        return getattr(self.filler, name)

    def fill_photo(self, photo, hole, *rest):
        self.given.append((photo.pixels, np.round(hole[0, 0].numpy() * 255).astype(np.uint8)))
        return self.filler.fill_photo(photo, hole, *rest)


@pytest.fixture(scope="module")
def fillers() -> dict[str, Recording]:
    return {name: Recording(inpainting.load(name, device="cpu")) for name in ("telea", "mean_fill")}


@pytest.fixture
def entries(fillers: dict[str, Recording]) -> list:
    return [server.Entry(filler, ("model", name)) for name, filler in fillers.items()]


@pytest.fixture
def client(entries: list) -> Iterator:
    with server.make_page(entries, "127.0.0.1", LIMITS).test_client() as one:
        yield one


def as_png(pixels: np.ndarray, name: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name, **options)
    return buffer.getvalue()


def pixels_of(content: bytes | Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content) if isinstance(content, bytes) else content))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def square_hole(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), np.uint8)
    hole[height // 4 : height // 2, width // 4 : width // 2] = 255
    return hole


def post(client, path: str, **fields):
    for key in {"image", "mask"} & fields.keys():
        fields[key] = (io.BytesIO(fields[key]), f"../../{key}.png")
    return client.post(path, data=fields)


def fill(client, image: bytes, mask: bytes, **fields):
    typed = {"method": "0", "samples": "1", "seed": "0", "name": "photo.png"} | fields
    return post(client, "/fill", image=image, mask=mask, **typed)


def finished(client, ticket: str) -> dict:
    while (now := client.get(f"/ticket/{ticket}").get_json())["state"] in ("waiting", "filling"):
        time.sleep(0.01)
    return now


# ---- what the server takes


def test_a_fill_is_what_the_library_and_the_command_fill(
    client, command: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    image, hole = noise(40, 56), square_hole(40, 56)
    Path("a photo, (1).png").write_bytes(as_png(image))
    answer = fill(client, as_png(image), as_png(hole), name="a photo, (1).png")
    assert answer.status_code == 202, answer.text
    ticket, typed = answer.get_json()["ticket"], answer.get_json()["command"]
    now = finished(client, ticket)
    assert now["state"] == "done" and re.fullmatch(r"filled in \d+\.\d s", now["text"])
    result = client.get(f"/ticket/{ticket}/result/0").data
    expected = inpainting.load("telea").fill(image, hole)
    assert (pixels_of(result) == expected).all() and (expected != image).any()
    Path("a photo, (1)_mask.png").write_bytes(as_png(hole))
    words = shlex.split(typed)
    assert words[:3] == ["python", "-m", "inpainting.predict"]
    command("predict", *words[3:])
    assert (pixels_of(Path("filled/a photo, (1).png")) == expected).all()
    # Once the browser has it, it is forgotten.
    assert client.delete(f"/ticket/{ticket}").status_code == 200
    gone = client.get(f"/ticket/{ticket}/result/0")
    assert gone.status_code == 400 and "no longer kept" in gone.get_json()["error"]


def test_the_command_names_what_makes_the_fill() -> None:
    run = ("run", "outputs/cvae_gan/STAMP")
    typed = predict_command(run, "last", "../x/me.jpg", range(5, 8), "poisson", {"smiling": 1.0})
    assert shlex.split(typed)[3:] == [
        "run=outputs/cvae_gan/STAMP", "checkpoint=last", "input=me.jpg", "masks=me_mask.png",
        "out=filled", "samples=3", "seed=5", "blend=poisson", "attributes.smiling=1",
    ]  # fmt: skip


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header claims any size, with valid checksums."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checked

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10**6)))


GOOD = as_png(noise(40, 56))
REFUSED = {
    "nothing": (b"", "choose a file"),
    "text": (b"../../../etc/passwd", "cannot be read"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "choose a JPEG, PNG"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "choose a JPEG, PNG"),
    "cut short": (as_png(noise(64, 64))[:3000], "cannot be read"),
    "bits flipped": (GOOD[:60] + bytes(80) + GOOD[140:], "cannot be read"),
    "too many pixels": (as_png(np.zeros((400, 400), np.uint8)), "400 x 400 pixels, more than"),
    "bomb": (bomb(60000, 60000), "pixels"),
    "largest bomb": (bomb(2**31 - 1, 2**31 - 1), "pixels"),
    "32 bits": (as_png(np.zeros((8, 8), np.int32), "TIFF"), "32-bit pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_is_refused_in_a_sentence(client, name: str) -> None:
    content, words = REFUSED[name]
    began = time.process_time()
    for answer in (
        post(client, "/image", image=content),
        post(client, "/mask", mask=content, width=8, height=8),
        fill(client, content, as_png(square_hole(40, 56))),
        fill(client, GOOD, content),
    ):
        error = answer.get_json()["error"]
        assert answer.status_code == 400 and words in error and "/tmp" not in error, error
        assert len(error) < 300 and "\n" not in error
    assert time.process_time() - began < 1


def test_more_bytes_than_agreed_are_refused(client) -> None:
    answer = post(client, "/image", image=bytes(3 * 2**20))
    assert answer.status_code == 413 and "larger than the 2 MiB" in answer.get_json()["error"]
    # Where the sender does not say how much will come, reading stops at the limit.
    stream = io.BytesIO(
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n'
    )
    stream = io.BufferedReader(io.BytesIO(stream.getvalue() + bytes(3 * 2**20)))
    answer = client.post(
        "/image",
        input_stream=stream,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"method": "2"}, "method=2"),
        ({"method": "-1"}, "method=-1"),
        ({"samples": "0"}, "samples=0"),
        ({"samples": "17"}, "from 1 to 16"),
        ({"seed": "1e9"}, "seed=1e9"),
        ({"seed": "9" * 30}, "seed=999"),
        ({"blend": "x"}, "blend=x"),
    ],
)
def test_settings_out_of_range_are_refused(client, fields: dict, words: str) -> None:
    answer = fill(client, GOOD, as_png(square_hole(40, 56)), **fields)
    assert answer.status_code == 400 and words in answer.get_json()["error"]


def test_masks_that_cannot_be_filled_are_refused(client) -> None:
    for hole, words in (
        (np.zeros((40, 56), np.uint8), "nothing is painted"),
        (np.full((40, 56), 255, np.uint8), "press Invert"),
        (square_hole(56, 40), "40x56"),
    ):
        answer = fill(client, GOOD, as_png(hole))
        assert answer.status_code == 400 and words in answer.get_json()["error"]
    answer = post(client, "/mask", mask=as_png(square_hole(9, 8)), width="56", height="40")
    assert "this mask is 8 x 9, but the image is 56 x 40" in answer.get_json()["error"]


def test_a_loaded_mask_arrives_level_by_level(client) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    answer = post(client, "/mask", mask=as_png(levels), width="32", height="8")
    assert answer.data == levels.tobytes()
    # A JPEG has noise where it should be black, and a drawing may be in its alpha alone.
    hole = square_hole(40, 56)
    jpeg = as_png(hole, "JPEG", quality=60)
    assert len(np.unique(pixels_of(jpeg))) > 2
    answer = post(client, "/mask", mask=jpeg, width="56", height="40")
    assert set(answer.data) == {0, 255}
    drawn = as_png(np.dstack([np.zeros((40, 56, 3), np.uint8), hole]))
    answer = post(client, "/mask", mask=drawn, width="56", height="40")
    assert answer.data == hole.tobytes()


def test_every_file_is_shown_upright_at_its_size(client) -> None:
    pixels = noise(20, 30)
    deep = io.BytesIO()
    Image.fromarray((np.arange(600, dtype=np.uint16) * 100).reshape(20, 30)).save(deep, "TIFF")
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    telephone = io.BytesIO()
    two = [Image.fromarray(pixels)] * 2
    two[0].save(telephone, "MPO", save_all=True, append_images=two[1:], exif=exif)
    for content, size, changed in (
        (as_png(pixels), "30x20", False),
        (as_png(pixels, "WEBP", lossless=True), "30x20", False),
        (as_png(pixels, "JPEG", exif=exif), "20x30", False),
        (telephone.getvalue(), "20x30", False),
        (as_png(pixels, exif=exif), "20x30", True),
        (as_png(pixels, "TIFF"), "30x20", True),
        (deep.getvalue(), "30x20", True),
    ):
        answer = post(client, "/image", image=content)
        assert answer.status_code == 200 and answer.headers["X-Size"] == size
        assert (answer.data != content) == changed
        if changed:
            assert Image.open(io.BytesIO(answer.data)).format == "PNG"


def test_other_sites_reach_nothing(client) -> None:
    fields = {"method": "0", "samples": "1", "seed": "0"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ):
        for path in ("/fill", "/image", "/mask"):
            data = fields | {"image": (io.BytesIO(GOOD), "i.png")}
            assert client.post(path, data=data, headers=headers).status_code == 403
        assert client.get("/", headers=headers).status_code == 403
    page = client.get("/")
    assert (
        page.status_code == 200 and "default-src 'self'" in page.headers["Content-Security-Policy"]
    )
    assert not re.search(r"(src|href)=\"?(https?:)?//", page.text)


def test_no_name_opens_a_file(client) -> None:
    for name in ("../../pyproject.toml", "..%2f..%2fpyproject.toml", "/etc/passwd", "%2e%2e"):
        for path in (f"/example/{name}", f"/page/{name}", f"/ticket/{name}/result/0"):
            answer = client.get(path)
            assert answer.status_code in (308, 400, 404) and "root:" not in answer.text, path
    assert client.get("/page/canvas.js").status_code == 200


def test_the_canvas_is_one_short_script_and_nothing_comes_from_elsewhere() -> None:
    pages = Path(server.__file__).parent / "pages"
    files = {path.name: path.read_text() for path in pages.iterdir()}
    assert set(files) == {"painting.html", "painting.css", "canvas.js", "fills.js", "icon.svg"}
    assert len(files["canvas.js"].splitlines()) <= 250
    addresses = re.findall(r"https?://[^\s\"']+", "".join(files.values()))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_examples_are_images() -> None:
    sizes = {name: pixels_of(example(name)).shape for name in EXAMPLES}
    assert sizes["astronaut"] == (512, 512, 3) and sizes["digit"] == (28, 28)
    assert sizes["face"] == (64, 64, 3) and len({example(name) for name in EXAMPLES}) == 8


# ---- the queue


@pytest.fixture
def held() -> Iterator[tuple[FillQueue, Ticket, threading.Event]]:
    """A queue whose first fill lasts until the event is set."""
    queue, release = FillQueue(most_waiting=2), threading.Event()

    def work(tell: Callable) -> list[bytes]:
        while not release.wait(0.01):
            tell(1, 4, ["estimate"])
        return [b"first"]

    first = queue.put(work)
    wait_for(lambda: first.done == 1)
    yield queue, first, release
    release.set()


def test_fills_wait_in_order_and_not_too_many(held) -> None:
    queue, first, release = held
    order = []
    second, third = (queue.put(lambda _, n=n: order.append(n) or [b"x"]) for n in (2, 3))
    assert [queue.place(one) for one in (first, second, third)] == [0, 1, 2]
    assert (first.state, second.state, first.total, first.estimates) == (
        "filling", "waiting", 4, ["estimate"],
    )  # fmt: skip
    with pytest.raises(InputError, match="2 fills are waiting already"):
        queue.put(lambda _: [])
    queue.drop(second)  # makes room, and its work is never done
    assert queue.place(third) == 1
    fourth = queue.put(lambda _: order.append(4) or [b"x"])
    release.set()
    wait_for(lambda: fourth.state == "done")
    assert order == [3, 4] and first.results == [b"first"] and first.estimates == ()


def test_a_fill_is_cancelled_while_it_runs(held) -> None:
    queue, first, _ = held
    after = queue.put(lambda _: [b"after"])
    queue.drop(first)  # `tell` raises; the event is never set
    wait_for(lambda: after.state == "done")
    assert first.state == "cancelled" and first.results == [] and first.work is None
    with pytest.raises(InputError, match="no longer kept"):
        queue.get(first.id)


def test_a_fill_that_fails_says_why_and_the_next_one_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = FillQueue(most_waiting=2)

    def refuse(_: Callable) -> list[bytes]:
        raise InputError("type another")

    def crash(_: Callable) -> list[bytes]:
        raise MemoryError("no room")

    refused, crashed, good = (queue.put(work) for work in (refuse, crash, lambda _: [b"x"]))
    wait_for(lambda: good.state == "done")
    assert (refused.state, refused.error) == ("failed", "type another")
    assert (crashed.state, crashed.error) == ("failed", "the fill failed (MemoryError: no room)")
    assert "MemoryError: no room" in caplog.text  # with a traceback, where the page was started


def test_results_that_nobody_fetches_are_dropped_for_newer_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inpainting.painting.queue.KEPT", 5)
    monkeypatch.setattr("inpainting.painting.queue.KEPT_BYTES", 30)
    queue = FillQueue(most_waiting=100)
    tickets = [queue.put(lambda _: [bytes(1)]) for _ in range(20)]
    wait_for(lambda: tickets[-1].state == "done" and len(queue._tickets) == 5)
    assert list(queue._tickets.values()) == tickets[-5:]
    large = queue.put(lambda _: [bytes(50)])
    wait_for(lambda: large.state == "done" and list(queue._tickets) == [large.id])


def test_the_page_answers_while_a_fill_runs(client, fillers, monkeypatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(
        fillers["telea"], "fill_photo", lambda photo, *_: [release.wait(), photo][1:]
    )
    mask = as_png(square_hole(40, 56))
    tickets = [fill(client, GOOD, mask).get_json()["ticket"] for _ in range(4)]
    wait_for(lambda: client.get(f"/ticket/{tickets[0]}").get_json()["state"] == "filling")
    said = [client.get(f"/ticket/{one}").get_json()["text"] for one in tickets]
    assert said[1:3] == ["waiting: 1 fill before this one", "waiting: 2 fills before this one"]
    answer = fill(client, GOOD, mask)
    assert answer.status_code == 400 and "waiting already" in answer.get_json()["error"]
    assert client.get("/").status_code == 200
    release.set()
    assert [finished(client, one)["state"] for one in tickets] == ["done"] * 4


@pytest.mark.slow
def test_the_command_repeats_what_a_diffusion_model_drew(command: Callable[..., None]) -> None:
    run = ("run", "bundled/ddpm_digits")
    entry = server.Entry(inpainting.load(run[1], device="cpu"), run)
    client = server.make_page([entry], "127.0.0.1", LIMITS).test_client()
    image, mask = example("digit"), as_png(square_hole(28, 28))
    Path("digit.png").write_bytes(image)
    Path("digit_mask.png").write_bytes(mask)
    answer = fill(client, image, mask, name="digit.png", samples="2", seed="5").get_json()
    assert answer["seeds"] == [5, 6]
    assert finished(client, answer["ticket"])["total"] == entry.filler.network_calls
    drawn = [pixels_of(client.get(f"/ticket/{answer['ticket']}/result/{k}").data) for k in (0, 1)]
    assert (drawn[0] != drawn[1]).any()
    command("predict", *shlex.split(answer["command"])[3:])
    for number, pixels in enumerate(drawn, start=1):
        repeated = pixels_of(Path(f"filled/digit_{number}.png")).astype(int)
        assert np.abs(repeated - pixels).max() <= 1  # another batch rounds otherwise


@pytest.mark.slow
def test_memory_does_not_grow_over_a_thousand_fills() -> None:
    entry = server.Entry(inpainting.load("telea", device="cpu"), ("model", "telea"))
    client = server.make_page([entry], "127.0.0.1", LIMITS).test_client()
    image, mask = as_png(noise(128, 128)), as_png(square_hole(128, 128))
    used = []
    for number in range(1, 1001):
        assert finished(client, fill(client, image, mask).get_json()["ticket"])["state"] == "done"
        if number in (100, 1000):
            used.append(
                int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
            )
    print(f"resident after 100 and 1,000 fills: {[round(one / 2**20, 1) for one in used]} MiB")
    assert used[1] - used[0] < 8 * 2**20


# ---- the command


def test_options() -> None:
    options = parse(["run=outputs/a", "run=b=c", "model=telea", "port=0", "waiting=2"])
    assert (options.run, options.model, options.waiting) == (["outputs/a", "b=c"], ["telea"], 2)
    assert (options.host, parse([]).run, parse([]).port) == ("127.0.0.1", [], 8005)


def test_bad_input_is_one_sentence(failure: Callable[..., str]) -> None:
    assert "type KEY=VALUE" in failure("app", "outputs/glcic")
    assert "prot=1" in failure("app", "prot=1")
    assert "waiting=-1" in failure("app", "waiting=-1")
    assert "megapixels=nan" in failure("app", "megapixels=nan")
    assert "from 0.001 to 178" in failure("app", "megapixels=500")
    assert "checkpoint=first" in failure("app", "checkpoint=first")
    assert "nowhere" in failure("app", "run=nowhere")
    assert "port=70000" in failure("app", "model=telea", "port=70000")
