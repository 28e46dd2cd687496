"""The wheel: carries conf/ and works from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_carries_conf_and_works_from_any_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    packed = {path.relative_to(site / "inpainting/conf") for path in site.rglob("*.yaml")}
    assert packed == {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    pages = {path.name for path in (site / "inpainting" / "scoring" / "pages").iterdir()}
    assert (
        pages
        == {path.name for path in (ROOT / "inpainting" / "scoring" / "pages").iterdir()}
        != set()
    )
    bundled = [path.name for path in (ROOT / "inpainting" / "bundled").iterdir()]
    packed_weights = {path.name for path in (site / "inpainting" / "bundled").iterdir()}
    assert packed_weights == set(bundled) != set()
    assert not list(site.rglob("*.py[co]"))
    command = [sys.executable, "-m", "inpainting.train", "--cfg", "job", "model=telea"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    shown = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True
    )
    assert "algorithm: telea" in shown.stdout
    where = subprocess.run(
        [sys.executable, "-c", "import inpainting; print(inpainting.CONF)"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()) == site / "inpainting" / "conf"
