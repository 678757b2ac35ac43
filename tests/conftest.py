"""Small photos and one finished study that many tests look at."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import command
import unsynced  # noqa: F401
from commongarden.runner import attribution_tasks, processes

PENDING = attribution_tasks.pending
os.environ["COMMONGARDEN_NO_MAPS"] = "1"  # they take every worker seconds of imports; two modules are for them
os.environ["COMMONGARDEN_LANG"] = "en"  # wherever the tests run; those of another language choose it

settings.register_profile("tests", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("tests")

CLASSES = ("daisy", "rose", "tulip")
STUDY = """
[study]
name = "small"
data = "{data}"
seeds = 2

[recipe]
resolution = 16
epochs = 3
batch_size = 8
lr = 3e-3

[split]
train = 0.6
val = 0.2

[arms.plain]
arch = "plain_flower"

[arms.residual]
arch = "residual_flower"
order = "LBA"

[[contrasts]]
is = ["residual", "plain"]
"""


@pytest.fixture(scope="session", autouse=True)
def threads():
    """One torch thread beside other test workers; more would wait for each other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _one_fork_server():
    """A study that is run from Python has the fork server of the commands, with all that these have loaded."""
    if processes.HAS_SERVER:
        processes.context()
        processes.PRELOADED = command.LOADED


@pytest.fixture(scope="session", autouse=True)
def _no_maps():
    """Nor where a study is run from Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution_tasks, "pending", lambda store, study: [])
        yield


@pytest.fixture(scope="module")
def maps_on():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution_tasks, "pending", PENDING)
        patch.delenv("COMMONGARDEN_NO_MAPS")
        yield


@pytest.fixture(autouse=True)
def _tiny_numbers():
    """Training takes tiny numbers for 0 in the whole process; the next test must not."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Sixty photos of 20x24 pixels in three class folders, each class with a brightest channel."""
    root = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (root / name).mkdir()
        for i in range(20):
            pixels = generator.integers(0, 120, (20, 24, 3), dtype=np.uint8)
            pixels[..., number] += 80
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")
    return root


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory) -> Path:
    """One cache for all test workers, away from the user's."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["COMMONGARDEN_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def study_file(tmp_path_factory, photos) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY.format(data=photos.as_posix()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def commongarden(cache_folder):
    """Runs the command as a user does; returns the finished process."""

    def call(*arguments, check=None, cwd=None):
        process = command.call(list(map(str, arguments)), cwd, command.environment(cache_folder), timeout=240)
        if check is not None:
            assert process.returncode == check, f"{process.returncode}\n{process.stdout}\n{process.stderr}"
        return process

    return call


@pytest.fixture(scope="session")
def finished(commongarden, study_file, tmp_path_factory) -> Path:
    """The folder of a finished small study: two arms, two seeds, three epochs."""
    out = tmp_path_factory.mktemp("garden") / "small"
    commongarden("run", study_file, "--out", out, check=0)
    return out


@pytest.fixture
def brackets(tmp_path, monkeypatch):
    """Everything is said in a language that no one speaks (prose.py)."""
    from commongarden import sentences
    from commongarden.i18n import language
    from prose import write_brackets

    write_brackets(tmp_path)
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    monkeypatch.setitem(sentences.LANGUAGES, "xx", lambda found: "")  # these have a module for each language
    kept = (language._catalogue, language._texts)
    for cached in kept:
        cached.cache_clear()
    monkeypatch.setenv("COMMONGARDEN_LANG", "xx")
    monkeypatch.setenv("COLUMNS", "400")
    yield
    for cached in kept:
        cached.cache_clear()


@pytest.fixture(scope="module")
def browser():
    from chromium import chromium  # loads playwright

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def slurm():
    """SLURM with two nodes on this machine; ended with the tests."""
    pytest.importorskip("submitit", reason="submitit is not installed (the extra [slurm])")
    from slurm_cluster import Slurm, missing

    if reason := missing():
        pytest.skip(reason)
    started = Slurm()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment.items():
            patch.setenv(name, value)
        yield started
        started.stop()


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of two nodes with room for one worker each, the head and another one; ended with the tests that use
    it."""
    pytest.importorskip("ray", reason="Ray is not installed (the extra [ray])")
    from ray_cluster import Cluster

    made = Cluster()
    try:
        made.node = made.start(cpus=1)
        yield made
    finally:
        made.stop()
