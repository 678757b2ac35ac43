"""The cache of decoded photos: right, whole, shared between processes."""

import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from commongarden.data import cache, folder, image
from commongarden.errors import DataError


@pytest.fixture(scope="module")
def garden(tmp_path_factory):
    root = tmp_path_factory.mktemp("garden")
    generator = np.random.default_rng(5)
    for label in ("rose", "tulip"):
        (root / label).mkdir()
        for i in range(12):
            pixels = generator.integers(0, 256, (30, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def manifest(garden):
    return folder.scan(str(garden))


def files(path):
    return sorted(entry.suffix for entry in path.iterdir() if entry.suffix != ".lock")


def test_the_cache_holds_what_pixels_gives(manifest, tmp_path):
    told = []
    found = cache.images(manifest, 10, 14, tmp_path, lambda done, total: told.append((done, total)))
    assert (found.shape, found.dtype) == ((24, 10, 14, 3), np.uint8)
    for i, photo in enumerate(manifest.photos):
        assert np.array_equal(found[i], image.pixels(manifest.root, photo.path, 10, 14))
    assert told == [(i + 1, 24) for i in range(24)]
    assert files(tmp_path) == [".json", ".npy"]


def test_the_second_time_it_is_only_opened(manifest, tmp_path, monkeypatch):
    first = cache.images(manifest, 8, 8, tmp_path)
    monkeypatch.setattr(cache, "_build", None)
    second = cache.images(manifest, 8, 8, tmp_path)
    assert np.array_equal(first, second)
    assert isinstance(second, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        second[0] = 0


def test_the_key_is_content_and_size_and_not_the_place(manifest, garden, tmp_path):
    cache.images(manifest, 8, 8, tmp_path / "cache")
    shutil.copytree(garden, tmp_path / "moved")
    cache.images(folder.scan(str(tmp_path / "moved")), 8, 8, tmp_path / "cache")
    assert len(cache.entries(tmp_path / "cache")) == 1
    wanted = cache.images(manifest, 8, 8, tmp_path / "cache")
    cache.images(manifest, 8, 9, tmp_path / "cache")
    cache.images(manifest, 9, 8, tmp_path / "cache")
    fewer = dataclasses.replace(manifest, photos=manifest.photos[1:])
    turned = dataclasses.replace(manifest, photos=manifest.photos[::-1])
    assert np.array_equal(cache.images(fewer, 8, 8, tmp_path / "cache"), wanted[1:])
    assert np.array_equal(cache.images(turned, 8, 8, tmp_path / "cache"), wanted[::-1])
    assert len(cache.entries(tmp_path / "cache")) == 5


def shorter(data):
    return data[:-1]


def longer(data):
    return data + b"\0"


def header_only(data):
    return data[:60]


def empty(data):
    return b""


def foreign(data):
    return b"not an array" * 100


def another_type(data):
    return data.replace(b"'|u1'", b"'|i1'")


def another_shape(data):
    return data.replace(b"(24, 8, 8, 3)", b"(24, 8, 3, 8)")


@pytest.mark.parametrize(
    "damage", [shorter, longer, header_only, empty, foreign, another_type, another_shape], ids=lambda one: one.__name__
)
def test_a_file_that_is_not_whole_is_built_again(manifest, tmp_path, damage):
    wanted = np.array(cache.images(manifest, 8, 8, tmp_path))
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert np.array_equal(cache.images(manifest, 8, 8, tmp_path), wanted)
    assert path.read_bytes() == whole
    aside = path.with_name(f"{path.name}.set-aside-1")
    assert aside.read_bytes() == damage(whole)
    cache.clear(tmp_path)
    assert files(tmp_path) == []


def test_other_pixels_of_the_right_size_are_found_where_all_is_read(manifest, tmp_path):
    wanted = np.array(cache.images(manifest, 8, 8, tmp_path))
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    torn = whole[:-300] + bytes(300)
    path.unlink()
    path.write_bytes(torn)
    assert np.array_equal(cache.images(manifest, 8, 8, tmp_path, check=True), wanted)
    assert path.with_name(f"{path.name}.set-aside-1").read_bytes() == torn


def test_what_a_killed_process_left_is_swept_up(manifest, tmp_path):
    cache.images(manifest, 8, 8, tmp_path)
    (path,) = tmp_path.glob("*.npy")
    path.unlink()
    (tmp_path / f".{path.name}.99999.tmp").write_bytes(b"half")
    cache.images(manifest, 8, 8, tmp_path)
    assert files(tmp_path) == [".json", ".npy"]


def build(garden, where, barrier, answers):
    built = []
    manifest = folder.scan(garden)
    barrier.wait(30)
    found = cache.images(manifest, 16, 16, where, lambda done, total: built.append(done))
    answers.put((len(built), found.tobytes()))


def test_two_processes_build_one_file(garden, manifest, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=build, args=(str(garden), tmp_path, barrier, answers), daemon=True) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
        process.close()
    answers.close()
    assert sorted(n for n, _ in found) == [0, 24]  # one built, the other one waited
    assert found[0][1] == found[1][1] == cache.images(manifest, 16, 16, tmp_path).tobytes()
    assert files(tmp_path) == [".json", ".npy"]


def test_a_photo_that_changed_since_is_not_put_under_the_old_key(garden, manifest, tmp_path):
    shutil.copytree(garden, tmp_path / "garden")
    moved = dataclasses.replace(manifest, root=str(tmp_path / "garden"))
    path = tmp_path / "garden" / "rose" / "3.png"
    shutil.copy(tmp_path / "garden" / "rose" / "4.png", path)
    with pytest.raises(DataError, match=r"3\.png: has changed since it was first read"):
        cache.images(moved, 8, 8, tmp_path / "cache")
    path.unlink()
    with pytest.raises(DataError, match=r"3\.png: cannot be read: No such file"):
        cache.images(moved, 8, 8, tmp_path / "cache")
    assert files(tmp_path / "cache") == []


def test_a_full_disk(manifest, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cache.shutil, "disk_usage", lambda path: usage._replace(free=4000))
        with pytest.raises(DataError, match=r"disk is full; the image cache needs 4,608 bytes \(24 photos at 8x8\)"):
            cache.images(manifest, 8, 8, tmp_path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "fsync", full)
        with pytest.raises(DataError, match="disk is full"):
            cache.images(manifest, 8, 8, tmp_path)
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made(manifest, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot be written: .*; choose another folder with --cache-dir"):
        cache.images(manifest, 8, 8, tmp_path / "file" / "cache")


def test_entries_and_clear(garden, manifest, tmp_path):
    assert cache.entries(tmp_path / "nowhere") == []
    assert cache.clear(tmp_path / "nowhere") == 0
    small, large = cache.images(manifest, 8, 8, tmp_path), cache.images(manifest, 16, 12, tmp_path)
    (tmp_path / "notes.txt").write_text("somebody's")
    (tmp_path / "other.npy").write_text("somebody's")
    os.utime(next(path for path in tmp_path.glob("*.npy") if path.stat().st_size == small.nbytes + 128), (0, 0))
    newer, older = cache.entries(tmp_path)
    assert (newer.root, newer.n_photos, newer.height, newer.width) == (str(garden.resolve()), 24, 16, 12)
    assert (older.height, older.width, older.last_used) == (8, 8, "1970-01-01T00:00:00+00:00")
    assert newer.bytes == large.nbytes + 128
    cache.images(manifest, 8, 8, tmp_path)
    assert cache.entries(tmp_path)[0].last_used > "2020"

    assert cache.clear(tmp_path, [older.key]) >= older.bytes
    assert [entry.key for entry in cache.entries(tmp_path)] == [newer.key]
    assert cache.clear(tmp_path) >= newer.bytes
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["notes.txt", "other.npy"]
    assert small.shape == (24, 8, 8, 3)
    assert large.sum() > 0  # still there for who had opened it


def test_an_entry_without_its_description(manifest, tmp_path):
    cache.images(manifest, 8, 8, tmp_path)
    (about,) = tmp_path.glob("*.json")
    assert json.loads(about.read_text(encoding="utf-8"))["n"] == 24
    about.write_text("torn")
    assert [entry.root for entry in cache.entries(tmp_path)] == [""]


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COMMONGARDEN_CACHE", str(tmp_path / "here"))
    assert cache.default_folder() == tmp_path / "here"
    monkeypatch.delenv("COMMONGARDEN_CACHE")
    assert cache.default_folder().name == "images"
    assert "commongarden" in cache.default_folder().parts


def test_builtin_photos_are_drawn_into_the_cache(tmp_path):
    drawn = pytest.importorskip("commongarden.data.drawn")
    manifest = folder.scan("builtin:flowers/15")
    found = cache.images(manifest, 32, 32, tmp_path)
    for place, photo in enumerate(manifest.photos):
        assert np.array_equal(found[place], drawn.draw(0, int(photo.path[-9:-4]), 32, 32))
    assert cache.entries(tmp_path)[0].root == "builtin:flowers/15"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_opening_reads_nothing_into_memory(manifest, tmp_path):
    cache.images(manifest, 256, 256, tmp_path)
    code = f"""
import pathlib
from commongarden.data import cache, folder
manifest = folder.scan({manifest.root!r})
found = cache.images(manifest, 256, 256, pathlib.Path({str(tmp_path)!r}))
assert any(str(found.filename) in line for line in open("/proc/self/maps"))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
