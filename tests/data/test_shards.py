"""Photos in tar and Parquet shards: the same data as in a folder, read where they lie, and what is refused."""

import dataclasses
import json
import random
import shutil
import tarfile

import numpy as np
import pytest

from commongarden import store as stores
from commongarden import study as studies
from commongarden.data import cache, folder, image, packs
from commongarden.data.finding import find
from commongarden.data.on_the_fly import Originals
from commongarden.errors import DataError
from commongarden.runner import plan
from commongarden.runner.events import Job
from commongarden.runner.prepared_data import prepare_data, reopen
from commongarden.runner.training import train_run
from running import numbers
from shard_files import parquet, png, tar


@pytest.fixture(scope="module")
def rows(photos):
    """(class, file name, bytes) of the sixty photos, in another order than theirs."""
    found = [(path.parent.name, path.name, path.read_bytes()) for path in sorted(photos.rglob("*.png"))]
    random.Random(1).shuffle(found)
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory, rows):
    """The photos in shards of each kind."""
    root = tmp_path_factory.mktemp("shards")
    for number, some in enumerate((rows[:25], rows[25:])):
        tar(root / "by folder" / f"flowers-{number:06}.tar", [(f"all/{a}/{b}", data) for a, b, data in some])
        beside = [file for a, b, data in some for file in ((f"{a}/{b}", data), (f"{a}/{b[:-4]}.cls", a.encode()))]
        tar(root / "cls" / f"{number:06}.tar", beside)
        told = []
        for a, b, data in some:
            about = json.dumps({"label": a, "width": 24}).encode()
            told += [(f"{a}/{b[:-4]}.json", about), (f"{a}/{b}", data)]
        tar(root / "json" / f"{number:06}.tar", told)
        parquet(root / "parquet" / "data" / f"{number:05}-of-00002.parquet", some, ("rose", "daisy", "tulip"))
    return root


KINDS = ("by folder", "cls", "json", "parquet")


@pytest.fixture(params=KINDS)
def source(request, sources):
    return sources / request.param


def test_the_data_are_those_of_the_folder(source, photos, tmp_path):
    inside, outside = folder.scan(str(source)), folder.scan(str(photos))
    assert inside.hash == outside.hash
    assert inside.photos == outside.photos
    assert all(photo.stored for photo in inside.photos)
    pixels = cache.images(inside, 16, 16, tmp_path / "one")
    np.testing.assert_array_equal(pixels, cache.images(outside, 16, 16, tmp_path / "two"))
    for place in (0, 59):
        pictures = [np.asarray(Originals(found, 16).picture(place)) for found in (inside, outside)]
        np.testing.assert_array_equal(*pictures)
    photo = inside.photos[3]
    assert image.jpeg(inside.root, photo.path, 16, stored=photo.stored) == image.jpeg(str(photos), photo.path, 16)


def test_a_tar_is_read_by_offset_and_length(sources, photos):
    (photo, *_rest) = folder.scan(str(sources / "by folder")).photos
    shard, _, place = photo.stored.rpartition("@")
    offset, length = map(int, place.split("+"))
    data = (sources / "by folder" / shard).read_bytes()[offset : offset + length]
    assert data == (photos / photo.path).read_bytes()


@pytest.mark.parametrize("kind", ["cls", "parquet"])
def test_a_study_comes_to_the_same_bits(kind, sources, finished, study_file, tmp_path):
    """Photos decoded in the runs, by a worker that reads the manifest from the study's folder."""
    study = dataclasses.replace(studies.read(study_file), data=str(sources / kind))
    store, prepared = prepare_data(study, tmp_path / "out", tmp_path / "cache", cache_budget=0)
    assert (tmp_path / "out" / "manifest.csv").read_text().startswith("path,label,part,sha256,stored\n")
    prepared = reopen(stores.Store(store.root), tmp_path / "cache", prepared.direct)
    list(train_run(store, prepared, plan.run_plan(store.study(), prepared, Job("plain", 0), "cpu"), lambda: False))
    assert numbers(store.root) == {key: one for key, one in numbers(finished).items() if key == ("plain", 0)}


def test_the_command_says_how_shards_are_read(commongarden, sources):
    done = commongarden("data", "check", sources / "cls", check=0)
    said = "Layout: tar shards (2); the class of each photo is in a .cls or .json file beside it"
    assert done.stdout.splitlines()[0] == said
    assert "60 photos in 3 classes" in done.stdout


def test_the_parts_are_in_the_names_of_the_shards(tmp_path, rows):
    for number, name in enumerate(("flowers-train-000.tar", "flowers-val-000.tar", "test/000.tar")):
        files = [(f"{a}/{number}{b}", data) for a, b, data in rows[20 * number : 20 * number + 20]]
        tar(tmp_path / name, files)
    found = folder.scan(str(tmp_path), keep_going=True)
    assert [sum(photo.part == part for photo in found.photos) for part in ("train", "val", "test")] == [20, 20, 20]
    assert all(photo.path.startswith(f"{photo.part}/{photo.label}/") for photo in found.photos)


def test_a_tar_of_a_whole_data_set(tmp_path, rows):
    files = [(f"./set/{'test' if i % 3 else 'train'}/{a}/{i}.png", data) for i, (a, b, data) in enumerate(rows)]
    one = tar(tmp_path / "set.tar", files)
    with tarfile.open(one) as packed:
        packed.extractall(tmp_path / "out", filter="data")
    inside, outside = folder.scan(str(one)), folder.scan(str(tmp_path / "out"))
    assert inside.hash == outside.hash


def test_equal_names_in_several_shards_stay_apart(tmp_path):
    for number in range(2):
        parquet(tmp_path / f"{number}.parquet", [(a, "1.png", png(10 * number + i)) for i, a in enumerate("ab")])
    assert [one.path for one in folder.scan(str(tmp_path)).photos] == [
        "a/0/1.png", "a/1/1.png", "b/0/1.png", "b/1/1.png",
    ]  # fmt: skip


def test_numbers_get_the_names_of_a_file_beside(tmp_path):
    files = [file for i in range(4) for file in ((f"{i}.png", png(i)), (f"{i}.cls", str(i % 2).encode()))]
    one = tar(tmp_path / "data" / "0.tar", files)
    assert folder.scan(str(one)).classes == ("0", "1")
    (tmp_path / "data" / "classnames.txt").write_text("rose\ndaisy\n")
    found = find(str(tmp_path / "data"))
    assert {candidate.label for candidate in found.candidates} == {"rose", "daisy"}
    assert str(found.notes[0]) == "the names of the classes are in classnames.txt"


def test_what_cannot_be_read_is_left_out_with_its_reason(tmp_path):
    rows = [(a, f"{i}.png", png(i)) for i, a in enumerate("abab")]
    rows += [("a", "empty.png", b""), (None, "none.png", png(9)), ("b", None, png(8)), ("a", "x.png", b"GIF7 no")]
    found = folder.scan(str(parquet(tmp_path / "some.parquet", rows)), keep_going=True)
    assert {out.path: out.reason for out in found.left_out} == {
        "a/empty.png": "empty file (0 bytes)",
        "none.png": "no label: the column label is empty",
        "a/x.png": "not an image file",
    }
    assert "b/some-00000006.png" in {photo.path for photo in found.photos}


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        folder.scan(str(source), **options)
    return str(caught.value)


PAIR = [("a/1.png", png(1)), ("b/2.png", png(2))]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("../a/1.png", png(1)), *PAIR], "found the unsafe path '../a/1.png'"),
        ([*PAIR, ("a/1.cls", b"a"), ("a/1.left.png", png(3))], "found two photos in the sample 'a/1'"),
        ([*PAIR, ("a/1.json", b"{")], "a/1.json: not JSON"),
        ([*PAIR, ("a/1.cls", b"a\x1b[2J"), ("b/2.cls", b"b")], "accepted: a label without control characters"),
        (
            [("1.png", png(1)), ("2.png", png(2))],
            "found 2 photos in the shards and no classes; accepted: KEY.cls",
        ),
    ],
)
def test_tars_that_are_refused(tmp_path, files, said):
    assert said in refusal(tar(tmp_path / "one.tar", files))


def test_a_torn_tar_is_named_and_so_is_a_link(tmp_path):
    whole = tar(tmp_path / "whole.tar", [("a/1.png", png(1)), ("b/2.png", png(2, (90, 90)))])
    torn = tmp_path / "torn.tar"
    torn.write_bytes(whole.read_bytes()[:9000])
    assert f"{torn}: corrupt, or not a tar file: " in refusal(torn)
    torn.write_bytes(png(1) * 3)
    assert f"{torn}: corrupt, or not a tar file: " in refusal(torn)
    link = tarfile.TarInfo("a/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(whole, "a") as made:
        made.addfile(link)
    assert "found 'a/link.png', which is a link or a special file" in refusal(whole)


def test_other_sources_that_are_refused(tmp_path):
    packed = shutil.copy(tar(tmp_path / "x" / "one.tar", PAIR), tmp_path / "x.tar.gz")
    assert "a compressed archive, of which no photo can be read alone" in refusal(packed)
    tar(tmp_path / "mixed" / "train-0.tar", PAIR)
    tar(tmp_path / "mixed" / "rest.tar", PAIR)
    assert "found train-0.tar for train and rest.tar for no set" in refusal(tmp_path / "mixed")
    rows = [("a", "1.png", png(1)), ("b", "2.png", png(2))]
    parquet(tmp_path / "mixed" / "one.parquet", rows)
    assert "found rest.tar and one.parquet; accepted: either tar or Parquet files" in refusal(tmp_path / "mixed")
    other = parquet(tmp_path / "other.parquet", rows, label="caption")
    assert "found no labels in the columns image, caption; accepted: one column of labels" in refusal(other)
    other.write_bytes(b"no parquet")
    assert f"{other}: not a readable Parquet file" in refusal(other)


def test_parquet_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "one.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(packs.importlib.util, "find_spec", lambda name: None)
    assert "Parquet needs the package pyarrow; accepted: pip install 'commongarden[shards]'" in refusal(
        tmp_path / "one.parquet"
    )


def test_copies_of_parquet_photos_are_made_again_and_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("COMMONGARDEN_CACHE", str(tmp_path / "cache"))
    rows = [(a, f"{i}.png", png(i)) for i, a in enumerate("ab")]
    one = parquet(tmp_path / "one.parquet", rows)
    before = folder.scan(str(one))
    assert {path.suffix for path in (tmp_path / "cache" / "shards").iterdir()} == {".npy", ".pack", ".lock"}
    assert cache.clear(tmp_path / "cache") > 2 * 1000
    assert not list((tmp_path / "cache" / "shards").glob("*.pack"))
    assert folder.scan(str(one)).photos == before.photos
    parquet(one, [rows[0], ("b", "1.png", png(7))])  # another file now: its copy is another one
    assert folder.scan(str(one)).hash != before.hash
