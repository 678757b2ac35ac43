"""Finds the Chromium in which tests open the report; with --install, gets one.

    python scripts/browser.py             prints its path, or what is missing and the command that installs it
    python scripts/browser.py --install   installs one: Debian's as root, otherwise the one that Playwright brings

Exit codes: 0 found; 1 not found. Without --install nothing is installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def path() -> str | None:
    """The browser on PATH, otherwise Playwright's own."""
    if installed := next(filter(None, map(shutil.which, NAMES)), None):
        return installed
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def commands() -> list[list[str]]:
    """What installs one on this machine."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        return [["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "chromium"]]
    return [[str(Path(sys.executable).with_name("playwright")), "install", "chromium"]]


def missing() -> str:
    """Why tests of the page cannot run, and what to do about it."""
    typed = " && ".join(" ".join(command) for command in commands())
    return f"found no Chromium, which the tests of the report need; install one: {typed}"


def install() -> None:
    """Runs the commands. Raises CalledProcessError where one fails."""
    for command in commands():
        subprocess.run(command, check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="install one where none is found")
    if parser.parse_args().install and path() is None:
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
    found = path()
    print(found or missing(), file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
