"""The page on which a hole is painted and filled, in a real browser."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from browsing import chromium, wait_for
from conftest import small, typed_in
from PIL import Image
from test_app import Recording, as_png, noise, pixels_of, square_hole

import inpainting
from inpainting.images.files import read_mask

server = pytest.importorskip("inpainting.painting.server", reason="the page needs Flask")
serving = pytest.importorskip("inpainting.serving", reason="the page needs Flask")

SPACE, ENTER, TAB, DELETE = "\ue00d", "\ue007", "\ue004", "\ue017"
LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"
ESCAPE, CONTROL, SHIFT = "\ue00c", "\ue009", "\ue008"


class Page:
    """The page in a browser, by what a person does on it."""

    def __init__(self, driver, address: str, downloads: Path, filler: Recording):
        self.driver, self.address, self.downloads, self.filler = driver, address, downloads, filler
        self.find = driver.find_element

    def open(self) -> None:
        self.driver.get(self.address)
        wait_for(lambda: "astronaut" in self.text("facts"))

    def text(self, name: str) -> str:
        return self.find("id", name).text

    def press(self, do: str) -> None:
        self.find("css selector", f"[data-do={do}]").click()

    def keys(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def choose(self, path: Path, field: str = "file") -> None:
        self.find("id", field).send_keys(str(path))
        wait_for(lambda: path.name in self.text("facts" if field == "file" else "say"))

    def value(self, script: str):
        return self.driver.execute_script(f"return {script}")

    def size(self, pixels: int) -> None:
        self.driver.execute_script(f"$('size').value = {pixels}; sized()")

    def drag(self, *points: tuple[float, float], button: int = 0) -> list[tuple[int, int]]:
        """Draw through points, as shares of the image; returns the image's pixels on the way."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.driver.execute_script("view.scrollIntoView({block: 'center'})")
        actions, pixels = ActionChains(self.driver, duration=0), []
        zoom, left, top, width, height = self.value("[zoom, left, top_, state.width, state.height]")
        corner = self.value("view.getBoundingClientRect()")
        pointer = actions.w3c_actions.pointer_action
        for number, (x, y) in enumerate(points):
            at = (
                round(corner["x"] + left + x * width * zoom),
                round(corner["y"] + top + y * height * zoom),
            )
            pointer.move_to_location(*at)
            pixels.append((
                int(np.floor((at[0] - corner["x"] - left) / zoom)),
                int(np.floor((at[1] - corner["y"] - top) / zoom)),
            ))  # fmt: skip
            if number == 0:
                pointer.pointer_down(button=button)
        pointer.pointer_up(button=button)
        actions.perform()
        return pixels

    def saved(self, name: str) -> Path:
        path = self.downloads / name
        wait_for(path.exists)
        return path

    def mask(self) -> np.ndarray:
        """The mask as it is saved."""
        name = f"{Path(self.text('facts').split(', ')[0]).stem}_mask.png"
        (self.downloads / name).unlink(missing_ok=True)
        self.press("save")
        image = Image.open(self.saved(name))
        assert image.mode == "L"
        return np.asarray(image)

    def fill(self) -> np.ndarray:
        """Fill; returns the mask that the method was given."""
        before = len(self.filler.given)
        cards = len(self.driver.find_elements("css selector", "article"))
        self.find("id", "fill").click()
        wait_for(lambda: len(self.filler.given) > before)
        wait_for(
            lambda: len(self.driver.find_elements("css selector", ".links:not([hidden])")) > cards
        )
        return self.filler.given[-1][1]


@pytest.fixture(scope="module")
def driver() -> Iterator:
    with chromium(1400, 1000) as one:
        one.implicitly_wait(0)  # else every look for what is not there yet takes seconds
        yield one


def serve(entries: list) -> tuple:
    app = server.make_page(entries, "127.0.0.1", server.Limits())
    listening, address = serving.listen(app, "127.0.0.1", 0)
    Thread(target=listening.serve_forever, daemon=True).start()
    return listening, address


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Recording]]:
    filler = Recording(inpainting.load("telea", device="cpu"))
    other = inpainting.load("mean_fill", device="cpu")
    listening, address = serve(
        [server.Entry(filler, ("model", "telea")), server.Entry(other, ("model", "mean_fill"))]
    )
    yield address, filler
    listening.shutdown()


@pytest.fixture
def page(driver, served: tuple[str, Recording], tmp_path: Path) -> Iterator[Page]:
    downloads = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", downloads)
    one = Page(driver, served[0], tmp_path, served[1])
    one.open()
    yield one
    complaints = [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]
    assert complaints == []


def painted(shape: tuple[int, int], points: list[tuple[int, int]], size: int) -> np.ndarray:
    """Every pixel whose centre is within half a brush of the stroke, drawn independently."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    hole = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
        along = np.array([x1 - x0, y1 - y0], float)
        length = max(1e-9, float(along @ along))
        share = np.clip(((x - x0) * along[0] + (y - y0) * along[1]) / length, 0, 1)
        hole |= np.hypot(x - x0 - share * along[0], y - y0 - share * along[1]) <= size / 2 + 1e-9
    return np.where(hole, 255, 0).astype(np.uint8)


STROKE = [(0.3, 0.4), (0.7, 0.5), (0.4, 0.6)]


def write(path: Path, height: int, width: int) -> Path:
    path.write_bytes(as_png(noise(height, width)))
    return path


LARGE = pytest.param(4000, 3000, 301, marks=pytest.mark.slow)


@pytest.mark.parametrize("height, width, size", [(28, 28, 3), (190, 110, 12), LARGE])
def test_the_mask_arrives_bit_by_bit(
    page: Page, tmp_path: Path, height: int, width: int, size: int
) -> None:
    path = write(tmp_path / "photo.png", height, width)
    page.choose(path)
    page.size(size)
    expected = painted((height, width), page.drag(*STROKE), size)
    assert 0.02 < (expected > 0).mean() < 0.5
    assert (page.mask() == expected).all()
    given = page.fill()
    assert (given == expected).all()
    pixels, _ = page.filler.given[-1]
    assert (pixels == pixels_of(path)).all()
    # It comes back as it was saved.
    saved = page.downloads / "photo_mask.png"
    kept = saved.rename(tmp_path / "kept.png")
    page.press("clear")
    assert not page.mask().any()
    page.choose(kept, "mask-file")
    assert (page.mask() == expected).all()


def test_paint_fill_compare_and_download(page: Page, tmp_path: Path) -> None:
    path = write(tmp_path / "photo.png", 60, 80)
    page.choose(path)
    page.size(9)
    first = painted((60, 80), page.drag(*STROKE), 9)
    second = painted((60, 80), page.drag((0.1, 0.1), (0.2, 0.8)), 9)
    both = first | second
    page.press("undo")
    assert (page.mask() == first).all()
    page.keys("y")
    assert (page.mask() == both).all()
    page.press("invert")
    assert (page.mask() == 255 - both).all()
    page.keys(CONTROL, "z", CONTROL)
    page.drag((0.1, 0.1), (0.2, 0.8), button=2)  # the right button erases
    erased = np.where(second > 0, 0, both)
    assert (page.mask() == erased).all()
    page.find("css selector", "[name=method][value='1']").click()  # two methods side by side
    assert (page.fill() == erased).all()
    wait_for(lambda: len(page.driver.find_elements("css selector", ".links:not([hidden])")) == 2)
    titles = [one.text for one in page.driver.find_elements("css selector", "article h2")]
    assert titles == ["telea", "mean_fill"]
    expected = inpainting.load("telea").fill(pixels_of(path), erased)
    assert page.value("state.result.width") == 80
    # The slider shows the image left of it and the fill right of it.
    shown = "Array.from(pen.getImageData({x}, {y}, 1, 1).data.slice(0, 3))"
    y, x = (int(values[len(values) // 2]) for values in np.nonzero(erased))
    zoom, left, top = page.value("[zoom, left, top_]")
    at = {"x": round(left + (x + 0.5) * zoom), "y": round(top + (y + 0.5) * zoom)}
    for split, truth in ((0, expected), (100, pixels_of(path))):
        page.driver.execute_script(f"$('split').value = {split}; paintView()")
        assert (np.array(page.value(shown.format(**at))) == truth[y, x]).all(), split
    links = page.find("css selector", "article").find_elements("css selector", "[data-link]")
    for link in links:
        link.click()
    assert (pixels_of(page.saved("photo_telea_0.png")) == expected).all()
    assert (read_mask(page.saved("photo_mask.png"))[0, 0].numpy() * 255 == erased).all()
    text = page.saved("photo_telea.txt").read_text()
    assert text.startswith("python -m inpainting.predict model=telea input=photo.png")
    # Painting goes on where it was, with the mask back in sight.
    page.drag((0.5, 0.1), (0.6, 0.1))
    assert page.value("state.result") is None
    assert not page.find("id", "compare").is_displayed()


def test_strokes_leave_the_image_and_rectangles_are_exact(page: Page, tmp_path: Path) -> None:
    page.choose(write(tmp_path / "photo.png", 40, 60))
    page.size(8)
    # Out of the canvas on the right, back in further down: one stroke.
    points = page.drag((0.3, 0.2), (1.3, 0.4), (0.5, 0.9))
    assert points[1][0] > 60 and page.value("left + zoom * 1.3 * 60 > view.clientWidth")
    expected = painted((40, 60), points, 8)
    assert (page.mask() == expected).all() and page.value("done.length") == 1
    page.press("rectangle")
    (x0, y0), (x1, y1) = page.drag((0.9, 0.6), (0.7, 1.1))
    assert y1 > 40
    expected[y0:, x1 : x0 + 1] = 255
    assert (page.mask() == expected).all()
    page.press("hand")
    page.drag((0.5, 0.5), (0.6, 0.6))
    page.press("in")
    assert (page.mask() == expected).all()
    assert page.value("left") > 0


def test_by_keyboard_alone(page: Page, tmp_path: Path) -> None:
    for _ in range(40):
        if page.value("document.activeElement === view"):
            break
        page.keys(TAB)
    else:
        pytest.fail("Tab does not reach the image")
    for _ in range(8):
        page.keys("[")
    size, by = page.value("brush()"), page.value("Math.max(1, Math.floor(brush() / 4))")
    page.keys(SPACE, RIGHT, RIGHT, DOWN, SPACE)  # down, along, up
    page.keys("e", UP)
    path = [(256, 256), (256 + by, 256), (256 + 2 * by, 256), (256 + 2 * by, 256 + by)]
    expected = painted((512, 512), path, size)
    assert (page.mask() == expected).all()
    page.value("view.focus()")
    page.keys(SPACE, SHIFT, LEFT, SHIFT, ESCAPE)  # dropped
    assert (page.mask() == expected).all() and page.value("done.length") == 1
    page.value("view.focus()")
    before = len(page.filler.given)
    page.keys(ENTER)
    wait_for(lambda: len(page.filler.given) > before)
    assert (page.filler.given[-1][1] == expected).all()
    wait_for(lambda: page.driver.find_elements("css selector", ".links:not([hidden])"))
    for _ in range(60):
        if page.value("document.activeElement.dataset.link") == "result":
            break
        page.keys(TAB)
    page.keys(ENTER)
    assert pixels_of(page.saved("astronaut_telea_0.png")).shape == (512, 512, 3)


def test_what_is_refused_is_said_on_the_page(page: Page, tmp_path: Path) -> None:
    page.find("id", "fill").click()
    wait_for(lambda: "Nothing is painted" in page.text("say"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(as_png(noise(64, 64))[:3000])
    page.find("id", "file").send_keys(str(broken))
    wait_for(lambda: "cannot be read" in page.text("say"))
    assert "astronaut" in page.text("facts")  # and the image stays
    other = tmp_path / "other.png"
    other.write_bytes(as_png(square_hole(8, 8)))
    page.find("id", "mask-file").send_keys(str(other))
    wait_for(lambda: "8 x 8, but the image is 512 x 512" in page.text("say"))
    # The two refusals are the browser's only complaints.
    lines = [line["message"] for line in page.driver.get_log("browser")]
    assert len(lines) == 2 and all("400 (BAD REQUEST)" in line for line in lines)


class Slow:
    """A filler that takes its time and shows, call by call, how the image brightens."""

    name, stochastic, channels, side, network_calls = "slow", True, 3, 64, 40
    attributes, pause = ("smiling",), 0.2

    def fill_photo(self, photo, hole, attributes, seeds, blend, on_progress):
        self.asked = attributes
        for done in range(1, self.network_calls + 1):
            time.sleep(self.pause)
            estimate = replace(photo, pixels=np.full_like(photo.pixels, 4 * done))
            on_progress(done, self.network_calls, [estimate] * len(seeds))
        return [replace(photo, pixels=np.full_like(photo.pixels, seed)) for seed in seeds]


def test_a_slow_fill_shows_its_progress_and_can_be_cancelled(
    driver, served: tuple[str, Recording], tmp_path: Path
) -> None:
    slow = Slow()
    listening, address = serve([server.Entry(slow, ("run", "outputs/ddpm/STAMP"))])
    page = Page(driver, address, tmp_path, served[1])
    page.open()
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page.find("css selector", "[data-example=digit]").click()
    wait_for(lambda: "digit" in page.text("facts"))
    page.size(6)
    page.drag(*STROKE)
    number = page.find("name", "samples")
    number.clear()
    number.send_keys("3")
    page.driver.execute_script("arguments[0].value = 7", page.find("name", "seed"))
    page.find("css selector", "[name=attribute]").click()
    page.find("id", "fill").click()
    shown = set()  # on the canvas, while it fills
    wait_for(lambda: page.value("state.result !== null"))

    def brightness() -> bool:
        shown.add(page.value("pen.getImageData(view.width >> 1, view.height >> 1, 1, 1).data[0]"))
        return len(shown) >= 3

    wait_for(brightness)
    assert "of 40 network calls" in page.text("now")
    assert len(driver.find_elements("css selector", ".strip img")) == 3
    page.find("id", "stop").click()
    assert not driver.find_elements("css selector", "article")
    assert page.value("state.result") is None
    # The next one is not kept waiting by the cancelled one, and ends.
    slow.pause = 0.001
    page.find("id", "fill").click()
    wait_for(lambda: driver.find_elements("css selector", ".links:not([hidden])"))
    strip = driver.find_elements("css selector", ".strip button")
    assert [button.text for button in strip] == ["seed 7", "seed 8", "seed 9"]
    assert slow.asked == {"smiling": 1.0}
    strip[2].click()
    wait_for(lambda: strip[2].get_attribute("aria-pressed") == "true")
    assert strip[0].get_attribute("aria-pressed") == "false"
    for name in ("result", "command"):
        page.find("css selector", f"[data-link={name}]").click()
    assert (pixels_of(page.saved("digit_slow_9.png")) == 9).all()
    assert "samples=3 seed=7 attributes.smiling=1" in page.saved("digit_slow.txt").read_text()
    listening.shutdown()


SIZES = [(390, 844), (1400, 1000)]


@pytest.mark.parametrize("width, height", SIZES)
def test_nothing_is_cut_off_or_too_small_to_touch(page: Page, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        wait_for(lambda: page.value("innerWidth") == width)
        assert page.value("document.documentElement.scrollWidth") == width
        small = page.value(
            "[...document.querySelectorAll('button, input[type=range], summary')]"
            ".filter(one => one.offsetParent && one.getBoundingClientRect().height < 16)"
            ".map(one => one.outerHTML)"
        )
        assert small == []
        wait_for(lambda: page.value("view.width / view.clientWidth") == 2)  # sharp, once redrawn
        shown, room = page.value("[zoom * state.width, view.clientWidth]")
        assert shown <= room + 1  # the whole image is seen
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_screen_of_another_density_is_drawn_sharply(page: Page) -> None:
    """Even where the view keeps its size, as when a window is moved to another screen."""
    page.driver.execute_script("$('stage').style.height = '300px'")
    try:
        for density in (1, 2):
            # headless Chromium notices another density only in a window of another size
            metrics = {"width": 1300, "height": 800 + density, "mobile": False}
            page.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride", metrics | {"deviceScaleFactor": density}
            )
            wait_for(lambda d=density: page.value("view.width / view.clientWidth") == d)
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
@pytest.mark.parametrize("width, height", SIZES)
def test_axe_finds_nothing(page: Page, width: int, height: int) -> None:
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        pytest.skip("needs AXE_CORE=…/axe.min.js, a file of the npm package axe-core")
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.drag(*STROKE)
        page.fill()
        page.driver.execute_script(Path(axe).read_text())
        found = page.driver.execute_async_script("axe.run(document).then(arguments[0])")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        assert len(found["passes"]) > 25
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_fingers_paint_and_two_of_them_zoom(page: Page, tmp_path: Path) -> None:
    page.choose(write(tmp_path / "photo.png", 40, 60))
    page.size(6)
    left, top, zoom = page.value(
        "[left + view.getBoundingClientRect().x, top_ + view.getBoundingClientRect().y, zoom]"
    )

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [
            {"x": left + x * zoom, "y": top + y * zoom, "id": n} for n, (x, y) in enumerate(points)
        ]
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (10.5, 10.5))
    touch("touchMove", (30.5, 10.5))
    touch("touchEnd")
    expected = painted((40, 60), [(10, 10), (30, 10)], 6)
    assert (page.mask() == expected).all()
    # A second finger drops the stroke that the first has begun.
    touch("touchStart", (20.5, 20.5))
    touch("touchMove", (21.5, 20.5))
    touch("touchStart", (21.5, 20.5), (40.5, 20.5))
    touch("touchMove", (11.5, 20.5), (50.5, 20.5))
    touch("touchEnd")
    assert (page.mask() == expected).all()
    assert page.value("zoom") == pytest.approx(zoom * 39 / 19, rel=0.02)
    assert page.value("pointers.size") == 0


@pytest.mark.slow
def test_diffusion_is_watched_as_it_denoises(driver, tmp_path: Path) -> None:
    with typed_in(tmp_path) as run:
        run("train", *small("ddpm"), "hydra.run.dir=run")
        filler = Recording(inpainting.load(tmp_path / "run", device="cpu"))
    assert filler.network_calls > 3
    listening, address = serve([server.Entry(filler, ("run", "run"))])
    page = Page(driver, address, tmp_path, filler)
    page.open()
    page.size(60)
    page.drag(*STROKE)
    page.find("name", "samples").send_keys(UP)
    page.find("id", "fill").click()
    wait_for(lambda: "network calls" in page.text("now"))
    wait_for(lambda: page.value("state.result !== null"))
    page.driver.save_screenshot(str(tmp_path / "denoising.png"))
    wait_for(lambda: driver.find_elements("css selector", ".links:not([hidden])"))
    first, second = driver.find_elements("css selector", ".strip img")
    sizes = [
        page.driver.execute_script("return arguments[0].naturalWidth", one)
        for one in (first, second)
    ]
    assert sizes == [512, 512]
    listening.shutdown()
