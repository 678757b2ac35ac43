"""Where the browser of the tests comes from: nothing is installed unasked, and what is missing has its command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chromium
from paths import ROOT

APT = """#!/bin/sh
echo "$@" >>"$0.calls"
[ "$1" = update ] || printf '#!/bin/sh\\n' >"$(dirname "$0")/chromium"
[ "$1" = update ] || chmod +x "$(dirname "$0")/chromium"
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without a browser, whose apt-get writes down how it was called."""
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(APT)
    apt.chmod(0o755)
    for name in ("sh", "chmod", "dirname"):
        (apt.parent / name).symlink_to(Path("/bin", name) if Path("/bin", name).exists() else Path("/usr/bin", name))
    monkeypatch.setenv("PATH", str(apt.parent))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    return apt


def browser(*arguments):
    return subprocess.run([sys.executable, chromium.SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


def calls(apt):
    log = apt.with_name("apt-get.calls")
    return log.read_text().splitlines() if log.exists() else []


def test_a_missing_browser_is_named_with_its_command_and_not_installed(bare):
    done = browser()
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("found no Chromium, which the tests of the report need; install one: ")
    assert "install" in done.stderr.rpartition(": ")[2]
    assert calls(bare) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="apt-get is for root")
def test_it_is_installed_where_that_is_asked_for(bare):
    done = browser("--install")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(bare.with_name("chromium"))
    assert calls(bare) == ["update -qq", "install -qq -y chromium"]
    assert browser("--install").returncode == 0
    assert len(calls(bare)) == 2  # it is there


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="apt-get is for root")
def test_an_installation_that_fails_is_an_error(bare):
    bare.write_text("#!/bin/sh\nexit 100\n")
    done = browser("--install")
    assert done.returncode == 1
    assert "apt-get" in done.stderr
    assert "Traceback" not in done.stderr


def test_tests_of_pages_are_skipped_without_one(bare, monkeypatch):
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install one: "), chromium.chromium():
        pass


def test_tests_of_pages_fail_without_one_where_it_is_required(bare, monkeypatch):
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="install one: "), chromium.chromium():
        pass


def test_only_continuous_integration_asks_for_an_installation():
    planned = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "scripts/browser.py" in planned.stdout
    assert "--install" not in planned.stdout
    assert "apt-get" not in planned.stdout
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.index("make browser") < ci.index("REQUIRE_BROWSER=1 make test")
