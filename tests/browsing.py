"""A real browser without a window, for the tests of pages."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def chromium(width: int = 1100, height: int = 900) -> Iterator[Any]:
    """A browser of this size; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        pytest.skip("needs Debian's packages chromium and chromium-driver, which are not here")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    quiet = ["background-networking", "component-update", "sync", "gpu", "quic", "dev-shm-usage"]
    for argument in ["headless", "no-first-run", f"window-size={width},{height}"]:
        options.add_argument(f"--{argument}")
    for feature in quiet:
        options.add_argument(f"--disable-{feature}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to run as root otherwise
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs[1]))
    driver.implicitly_wait(5)
    yield driver
    driver.quit()


def wait_for(what: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60  # only where the machine is busy
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
