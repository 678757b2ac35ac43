"""The browser in which tests open pages. Where there is none, they are skipped with the command that installs one;
with REQUIRE_BROWSER in the environment, as .ci/run sets it, they fail."""

import os
import runpy
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "browser.py"
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@contextmanager
def chromium():
    """Headless Chromium, for as long as the block lasts."""
    script = runpy.run_path(str(SCRIPT))
    path = script["path"]()
    if path is None:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(script["missing"]())
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root])
        yield browser
        browser.close()
