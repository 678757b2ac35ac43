"""A study folder on a mount without locks and hard links, such as some network drives.

None could be mounted on the machine these tests were written on: its kernel has neither vfat nor a network file system.
So the system calls refuse in every process of the command (sitecustomize), with each error that such mounts give.
"""

import errno
import os
import signal
import subprocess
import sys

import pytest

from command import environment
from commongarden import store as stores
from commongarden.errors import CommonGardenError
from running import numbers, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fcntl and process groups")
REFUSING = """
import fcntl, os

def refuse(*arguments, **options):
    raise OSError({number}, os.strerror({number}))

fcntl.flock = fcntl.lockf = os.link = refuse
"""


@pytest.fixture
def mount(tmp_path, study_file, cache_folder):
    """Starts the command where calls refuse with an error; its process and what it printed."""

    def started(number, out, *arguments):
        site = tmp_path / f"site{number}"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(REFUSING.format(number=number))
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "commongarden.cli", "run", study_file, "--out", out, *arguments]
        variables = environment(tmp_path / "cache") | {"PYTHONPATH": path}
        return subprocess.Popen(
            command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    return started


@pytest.mark.soak
def test_a_machine_that_dies_there_leaves_a_study_that_goes_on(mount, tmp_path, finished):
    """Every process of it is killed at once; the next one takes the lock that it left."""
    out = tmp_path / "out"
    first = mount(errno.ENOTSUP, out)
    wait_for(lambda: list(out.glob("runs/*/*")), 120)
    os.killpg(first.pid, signal.SIGSTOP)
    told = mount(errno.ENOTSUP, out).communicate(timeout=120)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert "in use by another commongarden process: process" in told[1], told
    again = mount(errno.ENOTSUP, out)
    told = again.communicate(timeout=120)
    assert again.returncode == 0, told
    assert numbers(out) == numbers(finished)
    assert not stores.verify(stores.open_store(out)).found
    assert not list(out.glob(".lock.soft"))


@pytest.mark.soak
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EPERM, errno.EINVAL])
def test_a_study_on_it_is_made_whatever_the_error(mount, tmp_path, finished, number):
    process = mount(number, tmp_path / "out")
    told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert numbers(tmp_path / "out") == numbers(finished)


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSYS])
def test_a_lock_that_another_machine_left_is_refused_with_the_file_to_delete(tmp_path, monkeypatch, number):
    """Nobody can tell from here whether that machine still runs."""
    import fcntl

    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / "study.toml").write_text("")
    with stores.lock(tmp_path):
        left = {path: path.read_bytes() for path in (*tmp_path.glob(".lock*"), tmp_path / ".holder")}
    for path, data in left.items():
        path.write_bytes(data.replace(os.uname().nodename.encode(), b"laptop"))
    with pytest.raises(CommonGardenError, match=r"on laptop, since .* If that process no longer runs, delete") as error:
        stores.lock(tmp_path).__enter__()
    marker = next(path for path in left if f"delete {path} and" in str(error.value))
    marker.unlink()
    with stores.lock(tmp_path):
        pass
