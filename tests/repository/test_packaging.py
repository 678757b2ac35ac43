"""The built wheel and sdist hold all that is needed; the long form installs them into fresh environments."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from paths import ROOT

BUILD = """
import sys
from setuptools import build_meta

out = sys.argv[1]  # setuptools changes it
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""
NOT_INSTALLED = (".po", ".pot")  # sources of the compiled catalogues


def tracked(*below):
    found = subprocess.run(["git", "ls-files", *below], cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("not a git checkout")
    return found.stdout.split()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the sdist and the wheel, built from the tracked files alone."""
    root = tmp_path_factory.mktemp("built")
    source, out = root / "source", root / "out"
    for path in tracked("src", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / path).is_file():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    out.mkdir()
    subprocess.run([sys.executable, "-c", BUILD, out], cwd=source, check=True, capture_output=True)
    return out


def installed(built):
    return next(built.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package(built):
    files = {path.removeprefix("src/") for path in tracked("src") if (ROOT / path).is_file()}
    wanted = {path for path in files if not path.endswith(NOT_INSTALLED)}
    with zipfile.ZipFile(installed(built)) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith("commongarden-")}
    assert wanted <= names
    assert names <= files


def test_the_sdist_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (tmp_path / "out").mkdir()
    folder = next(tmp_path.glob("commongarden-*"))
    subprocess.run([sys.executable, "-c", BUILD, tmp_path / "out"], cwd=folder, check=True, capture_output=True)
    again, wheel = (zipfile.ZipFile(path).namelist() for path in (installed(tmp_path / "out"), installed(built)))
    assert sorted(again) == sorted(wheel)


def test_the_wheel_works_where_the_sources_are_not(built, finished, tmp_path):
    with zipfile.ZipFile(installed(built)) as wheel:
        wheel.extractall(tmp_path / "site")
    shutil.copytree(finished, tmp_path / "study")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "COMMONGARDEN_LANG": "ko"}

    def call(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *arguments], cwd=tmp_path, env=variables, capture_output=True,
            text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    code = "import commongarden; print(commongarden.__file__)"
    where = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True).stdout
    assert where.startswith(str(tmp_path))
    assert "모델" in call("run", "demo", "--dry-run")
    call("report", "study")
    assert "<style>" in (tmp_path / "study" / "report.html").read_text(encoding="utf-8")


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_a_fresh_environment_runs_the_demo(built, kind, tmp_path):
    uv = shutil.which("uv", path=os.path.dirname(sys.executable))
    if uv is None:
        pytest.skip("no uv")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    python = tmp_path / "v" / "bin" / "python"
    wanted = ["--constraint", ROOT / "constraints.txt", next(built.glob(kind))]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *wanted], check=True)
    command = [tmp_path / "v" / "bin" / "commongarden"]
    made = subprocess.run([*command, "run", "demo", "--seeds", "1", "--epochs", "1", "--yes"], cwd=tmp_path, check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert (tmp_path / made.stdout.splitlines()[-1]).is_file()
