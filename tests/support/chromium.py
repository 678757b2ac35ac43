"""The browser in which tests open pages. Where there is none, they are skipped with the command that installs one;
with REQUIRE_BROWSER in the environment, as .ci/run sets it, they fail."""

import os
import runpy
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from paths import ROOT

SCRIPT = ROOT / "scripts" / "browser.py"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
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


class Visit:
    """An opened page, with all that it asked for and complained of."""

    def __init__(self, browser, path, viewport=DESKTOP, scheme="light", **options):
        self.page = browser.new_page(viewport=viewport, color_scheme=scheme, **options)
        self.page.set_default_timeout(20_000)
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.resolve().as_uri()
        self.page.goto(self.url)
        if options.get("java_script_enabled", True) and self.page.locator(".chart").count():
            self.page.wait_for_selector("html[data-charts=drawn]")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.page.close()
