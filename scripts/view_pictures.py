"""Draws the pictures of docs/howto/view.md: a study is run, and its page is opened in Chromium while it runs and after.

    python scripts/view_pictures.py

It takes some minutes and needs the extra `view` and a browser (`make browser`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
PICTURES = ROOT / "docs" / "howto"
STUDY = """
[study]
name = "flowers"
data = "builtin:flowers/300"
seeds = {seeds}

[recipe]
resolution = 32
epochs = {epochs}
lr = 3e-3

[arms.plain]
arch = "plain_flower"

[arms.residual]
arch = "residual_flower"

[[contrasts]]
is = ["residual", "plain"]
"""
COMMAND = (sys.executable, "-m", "commongarden.cli")


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    line = [*COMMAND, "view", str(folder), "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _run(folder: Path, name: str, seeds: int, epochs: int) -> subprocess.Popen[bytes]:
    (folder / f"{name}.toml").write_text(STUDY.format(seeds=seeds, epochs=epochs), encoding="utf-8")
    out = folder / "garden" / name
    return subprocess.Popen([*COMMAND, "run", str(folder / f"{name}.toml"), "--out", str(out), "--no-maps"])


def main() -> None:
    """Writes view-study.png, view-list.png, view-try.png."""
    from chromium import chromium

    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        folder = Path(place)
        garden = folder / "garden"
        garden.mkdir()
        _run(folder, "flowers", seeds=2, epochs=12).wait()
        running = _run(folder, "flowers-longer", seeds=3, epochs=120)
        with _served(garden) as address:
            page = browser.new_page(viewport={"width": 1100, "height": 760}, device_scale_factor=1.5)
            page.set_default_timeout(600_000)
            page.goto(f"{address}study/flowers")
            page.wait_for_selector("#report .chart.drawn")
            page.goto(address)
            page.locator("tr").filter(has_text="Running").wait_for()
            page.screenshot(path=PICTURES / "view-list.png", clip={"x": 0, "y": 0, "width": 1100, "height": 300})
            page.goto(f"{address}study/flowers-longer")
            page.locator("#live").filter(has_text="2 of 6").wait_for()
            page.locator("#live table").wait_for()
            page.wait_for_selector("#report .chart.drawn")
            page.wait_for_timeout(3000)
            page.screenshot(path=PICTURES / "view-study.png")
            running.terminate()
            running.wait()
            page.goto(f"{address}study/flowers/try")
            page.locator("#photos button").nth(1).click()
            page.wait_for_selector("#answer .disputed")
            page.wait_for_timeout(3000)
            page.screenshot(path=PICTURES / "view-try.png")


if __name__ == "__main__":
    main()
