"""Folders as they come out of zip files and off disks: what is no class, what is asked, what cannot be opened."""

import os
import signal
import socket
import sys

import pytest
from click.testing import CliRunner

from commongarden.cli import main, reading
from commongarden.data import groups, inspecting
from files import images

PHOTOS = [images.encoded(images.picture(i), "PNG") for i in range(40)]
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and modes of POSIX")


def laid(root, **folders):
    """A folder with so many photos in each folder. `__` stands for a slash."""
    number = 0
    for name, n in folders.items():
        place = root / name.replace("__", "/")
        place.mkdir(parents=True)
        for i in range(n):
            (place / f"{name[:2]}{i}.png").write_bytes(PHOTOS[number % 40])
            number += 1
    return root


@pytest.fixture
def check(tmp_path):
    """`data check`, which no test may leave hanging."""

    def call(root, *arguments, code=0):
        getattr(signal, "alarm", int)(30)
        command = ["data", "check", str(root), *arguments, "--cache-dir", str(tmp_path / "cache")]
        result = CliRunner().invoke(main, command)
        getattr(signal, "alarm", int)(0)
        assert result.exit_code == code, result.output
        return result.output

    return call


def test_masks_beside_a_training_set_are_no_part(tmp_path, check):
    laid(tmp_path, b__train__good=2, b__test__good=2, b__test__cut=2, b__ground_truth__cut=2, b__ground_truth__bent=2)
    said = check(tmp_path, code=2)
    assert "found one class (good) in train/ and more in test/, which is anomaly detection" in said
    assert f"--data {(tmp_path / 'b' / 'test').as_posix()}" in said
    assert "2 classes" in check(tmp_path / "b" / "test")


def test_a_training_set_by_name_is_the_only_one(tmp_path, check):
    laid(tmp_path, rps__a=2, rps__b=2, train__a=2, rps_test__a=2, rps_test__b=2)
    assert "training set in rps/" not in check(tmp_path, code=2)


def test_categories_with_a_training_set_each(tmp_path, check):
    for name in ("bottle", "cable"):
        laid(tmp_path / name, train__good=2, test__good=2, test__cut=2, ground_truth__cut=2)
    said = check(tmp_path, code=2)
    assert "--layout only:bottle" in said
    assert "ground_truth " not in said
    assert "anomaly detection" in check(tmp_path, "--layout", "only:bottle", code=2)


def test_a_table_of_classes_beside_folders(tmp_path, check):
    laid(tmp_path, a_part=4, b_part=4)
    names = [path.stem for path in sorted(tmp_path.rglob("*.png"))]
    rows = [f"L{i},{name},{('nv', 'mel')[i % 2]}" for i, name in enumerate(names)]
    (tmp_path / "metadata.csv").write_text("\n".join(("lesion_id,image_id,dx", *rows)))
    said = check(tmp_path, code=2)
    assert "the classes in metadata.csv differ from the folders of a_part/, b_part/" in said
    assert "2 classes" in check(tmp_path, "--layout", "classes", code=1)
    for labels in ("a_part", "b_part"), ("0", "1"):
        rows = [f"L{i},{name},{labels[i // 4]}" for i, name in enumerate(names)]
        (tmp_path / "metadata.csv").write_text("\n".join(("lesion_id,image_id,dx", *rows)))
        assert "2 classes" in check(tmp_path, code=1)


def test_a_data_set_beside_examples(tmp_path, check):
    laid(tmp_path, Dataset__a=2, Dataset__b=2, Examples=2)
    assert "Dataset/ contains folders of photos, Examples/ only photos" in check(tmp_path, code=2)
    assert "each folder in Dataset/ is a class" in check(tmp_path, "--layout", "only:Dataset")


def test_classes_one_level_further_inside(tmp_path, check):
    laid(tmp_path, amazon__images__bike=2, amazon__images__mug=2, dslr__images__bike=2, dslr__images__mug=2)
    assert "the folders amazon/, dslr/ contain subfolders with the same names, bike/, mug/" in check(tmp_path, code=2)
    assert "4 photos in 2 classes" in check(tmp_path, "--layout", "only:amazon")
    assert "8 photos in 2 classes" in check(tmp_path, "--layout", "inner")


def test_a_copy_of_the_data_in_a_folder_of_its_own_name(tmp_path, check):
    laid(tmp_path, cells__a=2, cells__b=2, cells__cells__a=2, cells__cells__b=2)
    assert "--layout only:cells " in check(tmp_path, code=2)
    assert "4 photos in 2 classes" in check(tmp_path, "--layout", "only:cells")
    assert "4 photos in 2 classes" in check(tmp_path / "cells", "--layout", "only:cells")


def test_what_systems_and_programs_leave(tmp_path, check):
    laid(tmp_path, a=3, b=3, results=1)
    for name in ("$RECYCLE.BIN", "System Volume Information", "lost+found"):
        laid(tmp_path / name, x=1)
    said = check(tmp_path)
    assert "3 classes" in said
    assert "note: results/ is read as a class; if it is not one, move it out of the data folder" in said


@needs_links
def test_a_link_to_a_class_is_no_second_one(tmp_path, check):
    laid(tmp_path, rose=3, tulip=3)
    (tmp_path / "rose_link").symlink_to("rose")
    said = check(tmp_path)
    assert "6 photos in 2 classes" in said
    assert "note: rose_link is a link to rose/ and is skipped" in said


def test_names_are_found_beside_annotations(tmp_path, check):
    laid(tmp_path, annotations=3)
    (tmp_path / "images").mkdir()
    for i in range(6):
        (tmp_path / "images" / f"{('Bengal', 'beagle')[i % 2]}_{i}.png").write_bytes(PHOTOS[i])
    assert "the names of the photos start with Bengal, beagle" in check(tmp_path, code=2)


def test_a_form_for_answers_is_no_list_of_classes(tmp_path, check):
    laid(tmp_path, test1=3)
    (tmp_path / "train").mkdir()
    for i in range(6):
        (tmp_path / "train" / f"{('cat', 'dog')[i % 2]}.{i}.png").write_bytes(PHOTOS[i])
    for label in ("0", "0"), ("0", "1"):
        rows = (f"te{i},{label[i % 2]}" for i in range(3))
        (tmp_path / "sampleSubmission.csv").write_text("\n".join(("id,label", *rows)))
        assert "the names of the photos start with cat, dog" in check(tmp_path, code=2)


@needs_links
def test_pipes_sockets_and_devices_are_not_opened(tmp_path, check, monkeypatch):
    laid(tmp_path, a=20, b=20)
    for path in sorted(tmp_path.rglob("*.png")):
        path.rename(path.with_suffix(""))
    os.mkfifo(tmp_path / "a" / "a_pipe")
    os.mkfifo(tmp_path / "photos.csv")
    (tmp_path / "b" / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path / "b")
        listening.bind("socket")
        said = check(tmp_path, code=1)
    assert "40 photos in 2 classes" in said
    assert "a/a_pipe: a broken link, or not a file" in said
    assert "photos.csv: not a regular file; accepted: " in check(tmp_path / "photos.csv", code=2)


@needs_links
def test_a_link_to_itself_stops_nothing(tmp_path, check):
    laid(tmp_path, a=20, b=20)
    (tmp_path / "a" / "self.png").symlink_to("self.png")
    said = check(tmp_path, code=1)
    assert "40 photos in 2 classes" in said
    assert "a/self.png: a broken link, or not a file" in said


def deny(monkeypatch, name):
    """A folder that cannot be listed, also for a person who may list all."""
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == name:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_folder_that_cannot_be_read(tmp_path, check, monkeypatch):
    laid(tmp_path, a=20, b=20, b__private=2)
    deny(monkeypatch, "private")
    said = check(tmp_path, code=1)
    assert "note: folders that cannot be read are skipped with their contents: 1, such as b/private/" in said
    assert "b/private/: the folder cannot be read: Permission denied" in said
    assert "`run` rejects" not in said


def test_a_class_that_cannot_be_read_stops_a_study(tmp_path, check, monkeypatch):
    laid(tmp_path, a=6, b=6, private=6)
    deny(monkeypatch, "private")
    assert "`run` rejects this data: " in (said := check(tmp_path, code=1))
    assert "none of the photos can be read in 1 of 3 classes" in said


@pytest.mark.parametrize("ending", [".ico", ".npy", ".mp4", ".zip"])
def test_a_class_of_other_files_stops_a_study(tmp_path, check, ending):
    laid(tmp_path, a=3, b=3, c=3)
    for path in (tmp_path / "c").iterdir():
        path.with_suffix(ending).write_bytes(b"nothing that is known" * 9)
        path.unlink()
    said = check(tmp_path, code=1)
    assert "`run` rejects this data: " in said
    assert "class 'c': 3 of 3 photos cannot be read (not an image file)" in said


def test_a_folder_of_texts_is_no_class(tmp_path, check):
    laid(tmp_path, a=3, b=3)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "train.py").write_text("pass")
    assert "`run` rejects" not in check(tmp_path, code=1)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("aabb", "split: all photos belong to 2 groups; accepted: at least 3 groups, one for each of train, val, test"),
        ("apbq", "split: the photos of class '0' belong to 2 groups; a stratified split needs at least 3 groups of"),
        ("pxqy", ""),
    ],
)
def test_too_few_groups_are_found_by_data_check(tmp_path, check, names, said):
    laid(tmp_path, photos=16)
    rows = [f"photos/ph{i}.png,{i % 2},{names[i % 4]}{i if names[i % 4] in 'pqxy' else ''}" for i in range(16)]
    if names == "apbq":
        rows = [row.replace("p5", "p1") for row in rows]
    (tmp_path / "photos.csv").write_text("\n".join(("path,label,group", *rows)))
    found = check(tmp_path / "photos.csv", code=1 if said else 0)
    assert said in found
    assert ("`run` rejects" in found) == bool(said)


def test_a_search_without_end_is_stopped(tmp_path, check, monkeypatch):
    monkeypatch.setattr(groups, "MOST_SECONDS", 0.3)
    laid(tmp_path, a=3, b=3)
    for path in (tmp_path / "a").iterdir():
        path.rename(path.with_name("a" * 40 + path.name))
    said = check(tmp_path, "--group-by", "(a+)+$", code=2)
    assert "--group-by '(a+)+$': matching 6 paths takes longer than 0 s; accepted: an expression without" in said


def test_a_photo_that_vanishes_stops_nothing(tmp_path, check, monkeypatch):
    laid(tmp_path, a=3, b=3)
    inspect = inspecting.inspect

    def after_a_loss(*arguments):
        (tmp_path / "a" / "a1.png").unlink(missing_ok=True)
        return inspect(*arguments[:4])  # none was decoded while it was read, as when it was known to be whole

    monkeypatch.setattr(inspecting, "inspect", after_a_loss)
    said = check(tmp_path)
    assert "photos that can no longer be read: 1, such as a/a1.png" in said


def test_addresses_among_paths(tmp_path, check):
    laid(tmp_path, a=9)
    rows = [f"a/a{i}.png,{i % 2}" for i in range(8)]
    more = ["https://example.com/a//1.jpg,0", "file:///photos/2.jpg,1"]
    (tmp_path / "photos.csv").write_text("\n".join(("path,label", *rows, *more)))
    said = check(tmp_path / "photos.csv", code=1)
    assert "https://example.com/a//1.jpg: a web URL; download the photo and write its path" in said
    assert "file:///photos/2.jpg: a file URL; write the path only, without file://" in said
    (tmp_path / "photos.csv").write_text("\n".join(("path,label", *more)))
    said = check(tmp_path / "photos.csv", code=2)
    assert "1 of 2: a web URL; download the photo and write its path (https://example.com/a//1.jpg)" in said
    assert "1 of 2: a file URL" in said


def test_an_official_split_is_noted(tmp_path, check):
    laid(tmp_path, food__images__pie=3, food__images__soup=3)
    (tmp_path / "food" / "meta").mkdir()
    for name in ("test.txt", "classes.txt"):
        (tmp_path / "food" / "meta" / name).write_text("pie/pi0")
    assert "note: food/meta/test.txt may contain the official split and is not read" in check(tmp_path)
    laid(tmp_path / "other", train__pie=3, train__soup=3, test__pie=3, test__soup=3)
    (tmp_path / "other" / "test.txt").write_text("pie/pi0")
    assert "official split" not in check(tmp_path / "other", code=1)


@pytest.mark.parametrize("answer", ["2", "classes", "--layout classes", "no\n9\n2"])
def test_a_layout_is_chosen_by_its_number_or_as_shown(tmp_path, monkeypatch, answer):
    laid(tmp_path, Dataset__a=2, Dataset__b=2, Examples=2)
    monkeypatch.setattr(reading, "is_terminal", lambda: True)
    result = CliRunner().invoke(main, ["data", "check", str(tmp_path)], input=f"{answer}\n")
    assert "2 classes" in result.output
    assert "Layout: each folder is a class" in result.output
    assert result.output.count("a number from 1 to 2, or one of the layouts above") == answer.count("\n")
