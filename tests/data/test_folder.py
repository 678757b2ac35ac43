"""From folders and CSV files to manifests: what is found, what is left out and why, what is refused."""

import json
import os
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image

from commongarden.data import folder
from commongarden.errors import DataError
from commongarden.records import LeftOut


def photo(path, number=0):
    """A small photo that is different for every number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


@pytest.fixture
def garden(tmp_path):
    """Two classes of ten photos."""
    for i in range(10):
        photo(tmp_path / "garden" / "rose" / f"{i}.png", i)
        photo(tmp_path / "garden" / "tulip" / f"{i}.png", 100 + i)
    return tmp_path / "garden"


def out(manifest):
    return {left.path: left.reason for left in manifest.left_out}


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        folder.scan(str(source), **options)
    return str(caught.value)


def test_class_folders(garden):
    told = []
    manifest = folder.scan(str(garden), on_progress=lambda done, total: told.append((done, total)))
    assert manifest.classes == ("rose", "tulip")
    assert [photo.path for photo in manifest.photos] == sorted(
        f"{label}/{i}.png" for label in manifest.classes for i in range(10)
    )
    assert {photo.part for photo in manifest.photos} == {""}
    assert len({photo.sha256 for photo in manifest.photos}) == 20
    assert (manifest.root, manifest.left_out) == (str(garden), ())
    assert told[-1] == (20, 20)


def test_the_hash_does_not_depend_on_where_the_folder_stands(garden, tmp_path):
    shutil.copytree(garden, tmp_path / "elsewhere")
    assert folder.scan(str(garden)).hash == folder.scan(str(tmp_path / "elsewhere")).hash
    photo(garden / "rose" / "0.png", 999)
    assert folder.scan(str(garden)).hash != folder.scan(str(tmp_path / "elsewhere")).hash


def test_what_systems_leave_in_folders_is_passed_over(garden):
    for name in ("Thumbs.db", "rose/desktop.ini", "rose/.DS_Store", "__MACOSX/rose/._1.png", ".git/config"):
        (garden / name).parent.mkdir(parents=True, exist_ok=True)
        (garden / name).write_bytes(b"x")
    manifest = folder.scan(str(garden))
    assert (len(manifest.photos), manifest.left_out) == (20, ())


def test_other_files_are_named_and_do_not_count(garden):
    for i in range(9):
        (garden / "rose" / f"notes{i}.txt").write_text("not a photo")
    (garden / "README.txt").write_text("Flowers.")
    photo(garden / "stray.png")
    (garden / "empty").mkdir()
    found = out(folder.scan(str(garden)))
    assert found.pop("README.txt") == "not an image file"
    assert found.pop("stray.png") == "no label: not in a class folder"
    assert found.pop("empty/") == "empty folder, not a class"
    assert found == {f"rose/notes{i}.txt": "not an image file" for i in range(9)}


def test_a_photo_with_a_foreign_name_is_a_photo(garden):
    photo(garden / "rose" / "scan0001", 50)
    photo(garden / "rose" / "really-a-png.jpg", 51)
    assert len(folder.scan(str(garden)).photos) == 22


def test_folders_inside_a_class_belong_to_it(garden):
    photo(garden / "rose" / "2019" / "may" / "a.png", 50)
    manifest = folder.scan(str(garden))
    assert {photo.label for photo in manifest.photos if "may" in photo.path} == {"rose"}


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_that_lead_back_end(garden):
    (garden / "rose" / "again").symlink_to(garden / "rose")
    (garden / "rose" / "up").symlink_to(garden)
    (garden / "tulip" / "gone.png").symlink_to(garden / "nowhere.png")
    manifest = folder.scan(str(garden), keep_going=True)
    assert out(manifest) == {"tulip/gone.png": "a broken link, or not a file"}
    assert {photo.path for photo in manifest.photos} >= {f"rose/{i}.png" for i in range(10)}
    assert len(manifest.photos) == 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_read(garden):
    os.mkfifo(garden / "rose" / "pipe")
    assert out(folder.scan(str(garden))) == {"rose/pipe": "a broken link, or not a file"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take Unicode names only")
def test_a_name_that_is_no_unicode_is_left_out(garden):
    shutil.copy(garden / "rose" / "0.png", os.fsencode(garden) + b"/rose/\xff.png")
    manifest = folder.scan(str(garden))
    assert [left.reason for left in manifest.left_out] == ["its name is not valid Unicode; rename it"]
    assert manifest.hash
    json.dumps(folder.summary(manifest)).encode()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_korean_names(tmp_path, form):
    names = ["장미", "튤립"]
    for n, name in enumerate(names):
        for i in range(3):
            photo(tmp_path / unicodedata.normalize(form, name) / f"사진 {i}.png", 10 * n + i)
    manifest = folder.scan(str(tmp_path))
    assert manifest.classes == ("장미", "튤립")
    assert "장미" in folder.describe(folder.summary(manifest))


def broken(garden, n):
    for i in range(n):
        (garden / "rose" / f"broken{i}.jpg").write_bytes(b"")


def test_up_to_five_percent_may_be_unreadable(garden):
    broken(garden, 1)
    assert folder.scan(str(garden)).left_out == (LeftOut("rose/broken0.jpg", "empty file (0 bytes)"),)


def test_more_than_five_percent_stop(garden):
    broken(garden, 5)
    message = refusal(garden)
    assert "5 of 25 photos cannot be read, more than 5%" in message
    assert "\n  rose/broken2.jpg: empty file (0 bytes)\n  and 2 more\n" in message
    assert "rose/broken3" not in message
    assert "--keep-going" in message
    assert len(folder.scan(str(garden), keep_going=True).photos) == 20


def test_nothing_is_deleted_or_changed(garden):
    broken(garden, 5)
    before = {path: path.read_bytes() for path in garden.rglob("*") if path.is_file()}
    folder.scan(str(garden), keep_going=True)
    assert {path: path.read_bytes() for path in garden.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(garden):
    (garden / "rose" / "0.png").chmod(0)
    assert out(folder.scan(str(garden))) == {"rose/0.png": "cannot be read: Permission denied"}


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_declared_parts(garden, tmp_path, val):
    root = tmp_path / "declared"
    for part in ("Train", val, "testing"):
        shutil.copytree(garden, root / part)
    (root / "labels.txt").write_text("x")
    photo(root / "Train" / "stray.png")
    manifest = folder.scan(str(root))
    parts = {photo.path.split("/")[0]: photo.part for photo in manifest.photos}
    assert parts == {"Train": "train", val: "val", "testing": "test"}
    assert manifest.classes == ("rose", "tulip")
    assert out(manifest) == {"labels.txt": "not an image file", "Train/stray.png": "no label: not in a class folder"}
    assert folder.summary(manifest)["parts"]["val"] == {"rose": 10, "tulip": 10}


def test_train_may_be_a_class(garden):
    shutil.copytree(garden / "rose", garden / "train")
    assert folder.scan(str(garden)).classes == ("rose", "train", "tulip")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "test", "extra"], "found the folders test, train next to extra"),
        (["val", "test"], "found the folders test, val without train"),
        (["train", "val", "validation"], "found train, val, validation; accepted: one folder for each"),
    ],
)
def test_part_folders_that_make_no_sense(garden, tmp_path, folders, message):
    for name in folders:
        shutil.copytree(garden, tmp_path / "root" / name)
    assert message in refusal(tmp_path / "root")


def test_a_class_that_is_missing_from_a_part(garden, tmp_path):
    shutil.copytree(garden, tmp_path / "root" / "train")
    shutil.copytree(garden / "rose", tmp_path / "root" / "test" / "rose")
    assert "class 'tulip' has no readable photo in the test set" in refusal(tmp_path / "root")


def test_no_such_folder_names_the_nearest(garden):
    message = refusal(garden.parent / "gardn")
    assert "no such folder" in message
    assert f"did you mean '{garden.as_posix()}'? Accepted: a folder with one folder of photos per class" in message
    assert "did you mean" not in refusal(garden.parent / "no" / "such")


def test_photos_without_class_folders(tmp_path):
    for i in range(3):
        photo(tmp_path / f"{i}.png", i)
    assert "found 3 files and no class folders; accepted:" in refusal(tmp_path)


def test_an_empty_folder(tmp_path):
    assert "found an empty folder; accepted:" in refusal(tmp_path)


def test_one_class(garden):
    shutil.rmtree(garden / "tulip")
    assert "found 1 class (rose) with photos; accepted: at least 2" in refusal(garden)


def test_one_folder_too_high_up(garden):
    assert folder.scan(str(garden.parent)) == folder.scan(str(garden))


def test_a_class_without_a_readable_photo(garden):
    for path in (garden / "tulip").iterdir():
        path.write_bytes(b"")
    assert "found 1 class (rose)" in refusal(garden, keep_going=True)


def test_a_file_that_is_no_csv(garden):
    assert "not a CSV file; accepted:" in refusal(garden / "rose" / "0.png")


# CSV


def table(garden, text, name="photos.csv", encoding="utf-8"):
    (garden / name).write_bytes(text.encode(encoding))
    return garden / name


def rows(labels=("rose", "tulip"), n=10):
    return [f"{label}/{i}.png,{label}" for label in labels for i in range(n)]


def test_csv(garden):
    manifest = folder.scan(str(table(garden, "\n".join(["path,label", *rows()]))))
    assert (manifest.root, len(manifest.photos), manifest.classes) == (str(garden), 20, ("rose", "tulip"))
    assert manifest.hash == folder.scan(str(garden)).hash


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_in_any_order_with_other_columns(garden, encoding, newline):
    lines = [
        " Label ,author,SPLIT,Path",
        '"rose, red",Kim,training, rose\\0.png',
        "튤립,Lee,train,./tulip/0.png",
        ",,,",
    ]
    lines += ['"rose, red",Kim,test,rose/1.png', "튤립,Lee,Testing,tulip/1.png"]
    manifest = folder.scan(str(table(garden, newline.join(lines), encoding=encoding)))
    assert [(photo.path, photo.label, photo.part) for photo in manifest.photos] == [
        ("rose/0.png", "rose, red", "train"),
        ("rose/1.png", "rose, red", "test"),
        ("tulip/0.png", "튤립", "train"),
        ("tulip/1.png", "튤립", "test"),
    ]


def test_csv_finds_names_in_another_unicode_form(garden):
    photo(garden / unicodedata.normalize("NFD", "장미.png"), 70)
    manifest = folder.scan(str(table(garden, "\n".join(["path,label", "장미.png,rose", *rows()]))))
    assert len(manifest.photos) == 21


def test_csv_takes_absolute_paths(garden, tmp_path):
    lines = ["path,label", *(f"{garden / row}" for row in rows())]
    assert len(folder.scan(str(table(tmp_path, "\n".join(lines)))).photos) == 20


def test_csv_with_missing_and_broken_files(garden):
    (garden / "rose" / "9.png").write_text("text")
    lines = ["path,label", *rows(), "rose/gone.png,rose", "rose,rose"]
    path = table(garden, "\n".join(lines))
    assert "3 of 22 photos cannot be read" in refusal(path)
    assert out(folder.scan(str(path), keep_going=True)) == {
        "rose/gone.png": "no such file",
        "rose": "not a file",
        "rose/9.png": "not an image file",
    }


def test_csv_with_a_photo_listed_twice(garden):
    lines = ["path,label", *rows(), "rose/0.png,rose", "./rose/1.png,tulip", "rose/1.png,rose"]
    manifest = folder.scan(str(table(garden, "\n".join(lines))))
    assert len(manifest.photos) == 19
    assert out(manifest) == {"rose/1.png": "conflicting labels: rose in line 3, tulip in line 23"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: found the header ''; accepted: path,label or path,label,split"),
        ("photograph,label\na,b", "line 1: found the header 'photograph,label'; accepted: path,label"),
        ("path:label\na:b", "line 1: found the header 'path:label'"),
        ("path,label\nrose/0.png,rose\nrose/1.png", "line 3: found 1 cells, accepted: 2"),
        ("path,label\nrose/0.png,rose,red", "line 2: found 3 cells, accepted: 2"),
        ("path,label\nrose/0.png,", "line 2: found 'rose/0.png,'; accepted: a path and a label"),
        ("path,label,split\nrose/0.png,rose,tset", "line 2: unknown split 'tset'; did you mean 'test'?"),
        ("path,label,split\nrose/0.png,rose,train\ntulip/0.png,tulip,", "line 3: found no split; accepted: train, val"),
        ("path,label,split\nrose/0.png,rose,train\nrose/0.png,rose,test", "line 3: found rose/0.png in test"),
        ("path,label,split\nrose/0.png,rose,val\ntulip/0.png,tulip,test", "found the sets val, test; accepted: train"),
        ("path,label\nrose/0.png,rose", "found 1 class (rose)"),
        ("path,label\n", "found no class with photos"),
        ("path,label\n\0,x", "photos.csv: "),
    ],
)  # fmt: skip
def test_csv_mistakes(garden, text, message):
    assert message in refusal(table(garden, text))


def test_csv_in_another_encoding(garden):
    message = refusal(table(garden, "path,label\nrose/0.png,장미", encoding="cp949"))
    assert "not UTF-8 text (byte 22), it may be CP949 (EUC-KR); save it as CSV in UTF-8" in message


# built-in data, summary, command line


def test_builtin_data():
    drawn = pytest.importorskip("commongarden.data.drawn")
    manifest = folder.scan("builtin:flowers/40")
    assert (manifest.root, len(manifest.photos), manifest.left_out) == ("builtin:flowers/40", 40, ())
    assert manifest.classes == tuple(sorted(drawn.CLASSES))
    whole = folder.scan("builtin:flowers")
    assert len(whole.photos) == 1500
    assert set(manifest.photos) <= set(whole.photos)
    assert "did you mean 'builtin:flowers'" in refusal("builtin:flwers")
    assert "accepted: at least 2" in refusal("builtin:flowers/1")


def test_summary(garden):
    photo(garden / "rose" / "copy.png", 0)
    photo(garden / "tulip" / "rose.png", 1)
    (garden / "tulip" / "README").write_text("x")
    found = folder.summary(folder.scan(str(garden)))
    assert json.loads(json.dumps(found)) == {
        "root": str(garden),
        "n_photos": 22,
        "classes": {"rose": 11, "tulip": 11},
        "parts": {},
        "smallest": {"label": "rose", "n_photos": 11},
        "largest": {"label": "tulip", "n_photos": 11},
        "duplicates": [["rose/0.png", "rose/copy.png"]],
        "conflicts": [{"labels": ["rose", "tulip"], "paths": ["rose/1.png", "tulip/rose.png"]}],
        "left_out": [{"path": "tulip/README", "reason": "not an image file"}],
    }
    text = folder.describe(found)
    assert "rose/0.png = rose/copy.png" in text
    assert "tulip/README: not an image file" in text


def test_judging_photos_loads_no_torch():
    code = "import sys; from commongarden.data import cache, folder, split; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
