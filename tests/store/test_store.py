"""The store's contract: whole or not at all, read back as written, never changed."""

import dataclasses
import datetime
import errno
import os
import re
import shutil
import socket
from collections import Counter
from contextlib import suppress

import filelock
import numpy as np
import pytest

from commongarden import report
from commongarden import store as stores
from commongarden.errors import StoreError
from commongarden.io import reader
from commongarden.io.limits import Limit
from commongarden.records import LeftOut, Manifest, Photo, Split
from disks import Failing
from forged import forged
from grown import grown

PHOTOS = (Photo('rose/가,"1".png', "rose", "", "aa"), Photo("tulip/2.png", "tulip", "test", "bb"))


def test_what_is_written_is_read_back(finished, tmp_path):
    store = stores.write_study(tmp_path / "s", stores.open_store(finished).study())
    manifest = Manifest("photos", PHOTOS, (LeftOut("rose/broken.png", "truncated"),))
    split = Split(('rose/가,"1".png',), (), ("tulip/2.png",), (LeftOut("x", "y"),))
    stores.write_split(store, manifest, split)
    assert (store.manifest(), store.split()) == (manifest, split)
    assert store.manifest().hash == manifest.hash
    stores.write_thumbnails(store, {"rose/가.png": b"\xff\xd8jpeg", "b": b"2"})
    assert store.thumbnails() == {"rose/가.png": b"\xff\xd8jpeg", "b": b"2"}
    source = stores.open_store(finished)
    run, history, predictions = source.run("plain", 0), source.history("plain", 0), source.predictions("plain", 0)
    stores.write_run(store, run, history, predictions, b"weights")
    assert (store.run("plain", 0), store.history("plain", 0)) == (run, history)
    np.testing.assert_array_equal(store.predictions("plain", 0).photos, predictions.photos)
    assert (store.directory("plain", 0) / "model.safetensors").read_bytes() == b"weights"


def test_a_finished_run_is_never_replaced_or_removed(finished):
    store = stores.open_store(finished)
    before = (store.directory("plain", 0) / "run.json").read_bytes()
    with pytest.raises(StoreError, match="the run already exists"):
        stores.write_run(store, dataclasses.replace(store.run("plain", 0), test_accuracy=0.0), [], None, None)
    assert (store.directory("plain", 0) / "run.json").read_bytes() == before
    with pytest.raises(StoreError, match="is not deleted"):
        stores.forget_run(store, "plain", 0)
    partial = store.partial("plain", 0)
    for path in partial.iterdir():
        path.unlink()
    partial.rmdir()


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"file: cannot be written: No space left on device \(3 bytes\)"):
        stores.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("split.json", b"{", "not a split"),
        ("split.json", b"[]", "not a split"),
        ("manifest.csv", b"a,b\n1,2\n", "other columns, accepted: path,label,part,sha256"),
        ("runs/plain/0/run.json", b"{}", "not a run's record"),
    ],
)
def test_torn_files_are_named(finished, tmp_path, name, content, message):
    shutil.copytree(finished, tmp_path / "s")
    forged(tmp_path / "s" / name, content)
    store = stores.open_store(tmp_path / "s")
    with pytest.raises(StoreError, match=message):
        (store.manifest(), store.split(), store.runs())


def test_a_record_of_another_version_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "s")
    path = tmp_path / "s/runs/plain/0/run.json"
    forged(path, path.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(StoreError, match="found schema 99; this version of commongarden reads 1"):
        stores.open_store(tmp_path / "s").runs()


def test_only_one_process_holds_a_study(tmp_path):
    with stores.lock(tmp_path), pytest.raises(StoreError, match="another commongarden process"), stores.lock(tmp_path):
        pass
    with stores.lock(tmp_path):
        pass


def test_the_one_that_holds_a_study_is_named(tmp_path):
    before = datetime.datetime.now().astimezone()
    with stores.lock(tmp_path):
        who = stores.holder(tmp_path)
        assert (who.pid, who.host) == (os.getpid(), socket.gethostname())
        assert abs((datetime.datetime.fromisoformat(who.since) - before).total_seconds()) < 60
        said = rf"process {who.pid} on {re.escape(who.host)}, since {re.escape(who.since)}; wait for it"
        with pytest.raises(StoreError, match=said), stores.lock(tmp_path):
            pass
    assert stores.holder(tmp_path) is None


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSYS, "no"),
        OSError(errno.ENOLCK, "no"),
        OSError(errno.EOPNOTSUPP, "no"),
        NotImplementedError("no"),
    ],
    ids=repr,
)
def test_a_file_system_without_locks_is_held_by_a_file(tmp_path, monkeypatch, error):
    def refused(self, *arguments, **options):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with stores.lock(tmp_path):
        assert (tmp_path / ".lock.soft").exists()
        with pytest.raises(StoreError, match=f"process {os.getpid()} on "), stores.lock(tmp_path):
            pass
    with stores.lock(tmp_path):
        pass
    monkeypatch.setattr(filelock.SoftFileLock, "acquire", refused)
    with pytest.raises(StoreError, match="cannot be locked: no"), stores.lock(tmp_path):
        pass


def test_while_a_file_is_replaced_its_list_knows_what_it_was_and_what_it_will_be(tmp_path):
    for step in range(1, 30):
        store = tmp_path / str(step)
        store.mkdir()
        stores.keep(store, "a.json", b"old")
        with Failing(step, errno.EIO).in_place() as disk, suppress(StoreError):
            stores.keep(store, "a.json", b"new")
        read = reader.checked(store, store / "a.json", Limit(10))
        assert read == (store / "a.json").read_bytes() in (b"old", b"new")
        if len(disk.seen) < step:
            assert (store / "a.json").read_bytes() == b"new"
            return
    raise AssertionError("the disk never came to its end")


def test_holding_leaves_nothing_where_no_study_came_to_be(tmp_path):
    with stores.lock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()


def test_what_a_killed_process_left_half_done_is_ended(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "s")
    store = stores.open_store(tmp_path / "s")
    record = (store.directory("plain", 0) / "run.json").read_bytes()
    store.directory("plain", 0).rename(store.partial("plain", 0))  # killed just before the last rename
    (store.partial("plain", 0) / "checkpoint.pt").write_bytes(b"x")
    (store.partial("plain", 0) / ".history.csv.77.tmp").write_bytes(b"x")
    (store.root / ".study.toml.77.tmp").write_bytes(b"x")
    store.directory("plain", 1).rename(store.root / "runs/plain/1.forgotten")  # killed in the middle of --retry
    under_way = store.partial("residual", 7)
    under_way.mkdir()
    (under_way / "checkpoint.pt").write_bytes(b"x")
    stores.recover(store)
    assert (store.directory("plain", 0) / "run.json").read_bytes() == record
    assert {path.name for path in store.directory("plain", 0).iterdir()} == {
        "run.json", "history.csv", "predictions.npz", "model.safetensors", "signals.npz", "checksums.sha256",
    }  # fmt: skip
    assert not store.has("plain", 1)
    assert [path.name for path in under_way.iterdir()] == ["checkpoint.pt"]
    assert not list(store.root.rglob("*.tmp")) + list(store.root.rglob("*.forgotten"))


def test_a_failed_run_can_be_forgotten(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "s")
    store = stores.open_store(tmp_path / "s")
    failed = dataclasses.replace(store.run("plain", 0), status="failed", seed=5)
    stores.write_run(store, failed, [], None, None)
    assert store.has("plain", 5)
    stores.forget_run(store, "plain", 5)
    assert not list((store.root / "runs" / "plain").glob("5*"))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"), stores.lock(tmp_path / "file" / "garden"):
        pass


def test_a_report_reads_each_run_once_and_the_next_one_reads_anew(tmp_path, monkeypatch):
    store = grown(tmp_path / "study", {"a": (0.5, 0.6, 0.7), "b": (0.4, 0.5, 0.6)})
    read, reader = Counter(), stores.folder.read_run
    monkeypatch.setattr(stores.folder, "read_run", lambda path: read.update([path]) or reader(path))
    report.write(store)
    assert sorted(read.values()) == [1] * 6
    again = stores.ReadOnce(store.root)
    assert again.runs() == store.runs()
    assert again.history("a", 1) == store.history("a", 1)
    shutil.rmtree(store.directory("b", 2))
    assert len(again.runs()) == 6  # as the folder was
    assert len(stores.ReadOnce(store.root).runs()) == 5
