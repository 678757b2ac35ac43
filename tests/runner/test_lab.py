"""A computer lab: a shared cache that is read-only, studies in a folder of one's own, cores that are set."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from command import environment
from commongarden.data import cache, result_cache
from paths import ROOT
from running import numbers

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
MOUNTS = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec {1}"


def can_mount():
    return IS_ROOT and shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"]).returncode == 0


@pytest.fixture
def lab(cache_folder, finished, study_file, tmp_path):
    """Runs the study where a copy of the cache that `finished` left is read-only; files of the cache must stay."""
    shared = shutil.copytree(cache_folder, tmp_path / "shared")
    kept = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    if not IS_ROOT:
        shared.chmod(0o555)
    elif not can_mount():
        pytest.skip("root may write everywhere, and this system lets no process mount a folder read-only")

    def run(*arguments, prefix=(), **variables):
        command = [*prefix, sys.executable, "-m", "commongarden.cli", "run", str(study_file), *map(str, arguments)]
        if IS_ROOT:  # whom permissions do not stop
            line = " ".join(f"'{word}'" for word in command)
            command = ["unshare", "-m", "sh", "-c", MOUNTS.format(shared, line)]
        given = environment(cache_folder) | {name: str(value) for name, value in variables.items()}
        return subprocess.run(command, capture_output=True, text=True, env=given, cwd=ROOT, timeout=240)

    yield run, shared
    shared.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*")} == kept


@pytest.mark.soak
def test_a_shared_cache_is_read_and_ones_own_is_written(lab, tmp_path, finished):
    run, shared = lab
    prefix = ("taskset", "-c", "0") if shutil.which("taskset") else ()
    found = run(
        prefix=prefix,
        COMMONGARDEN_SHARED_CACHE=shared,
        COMMONGARDEN_CACHE=tmp_path / "own",
        COMMONGARDEN_STUDIES=tmp_path / "studies",
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.rstrip().endswith(str(tmp_path / "studies" / "small" / "report.html"))
    assert numbers(tmp_path / "studies" / "small") == numbers(finished)
    assert not list((tmp_path / "own").rglob("*.npy"))
    assert "decoding" not in found.stderr
    assert f"commongarden predict {tmp_path / 'studies' / 'small'} IMAGE" in found.stdout  # elsewhere: the whole path
    assert not prefix or "4 runs, 1 at a time" in found.stderr


@pytest.mark.soak
def test_ones_only_cache_may_be_read_only(lab, tmp_path, finished):
    """While it has all that is needed; else the message says what to set."""
    run, shared = lab
    found = run("--out", tmp_path / "out", COMMONGARDEN_CACHE=shared)
    assert found.returncode == 0, found.stderr
    assert numbers(tmp_path / "out") == numbers(finished)
    found = run("--out", tmp_path / "larger", "--set", "resolution=24", COMMONGARDEN_CACHE=shared)
    assert found.returncode == 2
    assert "the image cache cannot be written: " in found.stderr
    assert "--cache-dir or COMMONGARDEN_CACHE" in found.stderr


def test_the_cache_command_shows_both_and_clears_ones_own(tmp_path, cache_folder, finished, monkeypatch, commongarden):
    monkeypatch.setenv(result_cache.SHARED, str(cache_folder))
    shown = commongarden("cache", "--cache-dir", tmp_path, check=0).stdout
    assert f"{tmp_path}: 0 sets" in shown
    assert f"{cache_folder}: " in shown
    table = json.loads(commongarden("cache", "--cache-dir", tmp_path, "--json", check=0).stdout)
    assert (table["entries"], table["shared"]["folder"]) == ([], str(cache_folder))
    assert table["shared"]["entries"]
    commongarden("cache", "--cache-dir", tmp_path, "--clear", check=0)
    assert len(cache.entries(cache_folder)) == len(table["shared"]["entries"])


def test_what_is_torn_in_the_shared_cache_is_not_used(tmp_path, monkeypatch):
    own, shared, told = tmp_path / "own", tmp_path / "shared", []
    monkeypatch.setenv(result_cache.SHARED, str(shared))
    result_cache.keep(shared, "a" * 64, b"result")
    assert result_cache.recall(own, "a" * 64) == b"result"
    (shared / f"{'a' * 64}.memo").write_bytes(b"torn")
    assert result_cache.recall(own, "a" * 64, told.append) is None
    assert str(shared) in told[0]
    result_cache.keep(own, "a" * 64, b"again")
    assert result_cache.recall(own, "a" * 64) == b"again"
