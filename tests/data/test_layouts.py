"""Data as people have them on disk: how a layout is understood, what is asked, refused, noted, and left out."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest
from click.testing import CliRunner

from commongarden import store as stores
from commongarden import study as studies
from commongarden.cli import main, reading
from commongarden.data import finding, folder, kinds
from commongarden.data.ambiguity import AmbiguousError
from commongarden.errors import DataError, StoreError, StudyError
from commongarden.runner import prepared_data, sources
from commongarden.study import DataOptions
from files import layouts
from files.layouts import CLASSES, Folder, drawn, under

INSIDE = "; classes are the folders inside"
EACH = "Layout: each folder is a class"


def laid(make, root, *more):
    make(root, *more)
    return root


def found(root, **options):
    keep_going = options.pop("keep_going", True)
    return finding.find(str(root), DataOptions(**options), keep_going=keep_going)


def counts(listed):
    return Counter((one.part, one.label) for one in listed.candidates if not one.reason)


def reasons(listed):
    return Counter(one.reason for one in listed.candidates if one.reason)


def said(root, *arguments, code=None):
    """What `data check` prints, in English."""
    result = CliRunner().invoke(main, ["data", "check", str(root), *arguments])
    assert code is None or result.exit_code == code, result.output
    return result.output if code == 2 else result.stdout


def of(*parts, classes=CLASSES, n=6):
    return {(part, label): n for part in parts for label in classes}


IMAGENET = ("n01440764", "n01443537")
UNDERSTOOD = {
    layouts.plain: (EACH, of("")),
    layouts.parts: ("Layout: training set in train/, validation set in val/, test set in test/" + INSIDE,
                    of("train", "val", "test")),
    layouts.intel: ("Layout: training set in seg_train/seg_train/, test set in seg_test/seg_test/" + INSIDE,
                    of("train", "test")),
    layouts.seg: ("Layout: training set in seg_train/, test set in seg_test/" + INSIDE, of("train", "test")),
    layouts.training_set: ("Layout: training set in training_set/training_set/, test set in test_set/test_set/"
                           + INSIDE, of("train", "test", classes=("cats", "dogs"))),
    layouts.by_year: ("Layout: training set in train2017/, validation set in val2017/" + INSIDE, of("train", "val")),
    layouts.roboflow: ("Layout: training set in train/, validation set in valid/, test set in test/" + INSIDE,
                       of("train", "val", "test")),
    layouts.gtsrb: ("Layout: training set in Train/" + INSIDE, of("train", classes=("0", "1", "2"))),
    layouts.gtsrb_official: ("Layout: training set in Final_Training/Images/" + INSIDE,
                             of("train", classes=("00000", "00001", "00002"))),
    layouts.nested: ("Layout: training set in dataset/dataset/train/, test set in dataset/dataset/test/" + INSIDE,
                     of("train", "test")),
    layouts.one_level: ("Layout: each folder in flower_photos/ is a class", of("")),
    layouts.imagenet: ("Layout: training set in ILSVRC/Data/CLS-LOC/train/" + INSIDE, of("train", classes=IMAGENET)),
    layouts.tiny_imagenet: ("Layout: training set in train/" + INSIDE,
                            of("train", classes=("n01443537", "n01629819"))),
    layouts.fruits: ("Layout: training set in fruits-360/Training/, test set in fruits-360/Test/" + INSIDE,
                     of("train", "test")),
    layouts.dogs: ("Layout: each folder in images/Images/ is a class", of("", classes=("n1-Chihuahua", "n2-Pug"))),
    layouts.unlabelled_test: ("Layout: training set in train/" + INSIDE, of("train", n=12)),
    layouts.years_inside: (EACH, of("", n=12)),
    layouts.rps: ("Layout: training set in rps/rps/, test set in rps-test-set/rps-test-set/" + INSIDE,
                  of("train", "test")),
    layouts.new_plant: ("Layout: training set in New Plant(Augmented)/New Plant(Augmented)/train/, validation set in "
                        "New Plant(Augmented)/New Plant(Augmented)/valid/" + INSIDE, of("train", "val")),
}  # fmt: skip


@pytest.mark.parametrize("make", layouts.RECOGNIZED, ids=lambda make: make.__name__)
def test_public_layouts_are_recognized(make, tmp_path):
    listed = found(laid(make, tmp_path / "data"), keep_going=False)
    assert (listed.layout, dict(counts(listed))) == UNDERSTOOD[make]


KOREAN = {
    layouts.intel: "학습 세트 seg_train/seg_train/, 테스트 세트 seg_test/seg_test/, 그 안의 폴더가 클래스",
    layouts.gtsrb: "학습 세트 Train/, 그 안의 폴더가 클래스",
    layouts.imagenet: "학습 세트 ILSVRC/Data/CLS-LOC/train/, 그 안의 폴더가 클래스",
}


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("make", [layouts.intel, layouts.gtsrb, layouts.imagenet], ids=lambda make: make.__name__)
def test_the_layout_is_said_first(make, lang, tmp_path):
    output = said(laid(make, tmp_path / "data"), "--lang", lang, code=1)
    begins = UNDERSTOOD[make][0] + "\nnote: " if lang == "en" else f"폴더 구조: {KOREAN[make]}\n참고: "
    assert output.startswith(begins), output
    assert json.loads(said(tmp_path / "data", "--lang", lang, "--json"))["layout"] == output.partition("\n")[0]


def test_layouts_that_worked_keep_their_hash(tmp_path):
    for make, part in ((layouts.plain, lambda path: ""), (layouts.parts, lambda path: path.partition("/")[0])):
        root = laid(make, tmp_path / make.__name__)
        digest = hashlib.sha256()
        for path in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png")):
            sha256 = hashlib.sha256((root / path).read_bytes()).hexdigest()
            digest.update(f"{path}\0{path.split('/')[-2]}\0{part(path)}\0{sha256}\n".encode())
        assert folder.scan(str(root)).hash == digest.hexdigest()


def test_a_data_set_one_level_down_is_the_same_data_set(tmp_path):
    root = laid(layouts.nested, tmp_path)
    assert folder.scan(str(root)).hash == folder.scan(str(root / "dataset" / "dataset")).hash


ASKED = {
    layouts.plantvillage: ["only:color", "only:grayscale", "only:segmented", "inner", "classes"],
    layouts.radiography: ["only:images", "only:masks", "inner", "classes"],
    layouts.masks: ["classes"],
    layouts.patients: ["inner", "classes"],
    layouts.copied: ["only:cell_images", "classes"],
}


@pytest.mark.parametrize("make", layouts.ASKED, ids=lambda make: make.__name__)
def test_folders_of_equal_names_are_asked_about(make, tmp_path):
    root = laid(make, tmp_path / "data")
    with pytest.raises(AmbiguousError) as caught:
        found(root)
    assert [value for value, _said in caught.value.choices] == ASKED[make]
    for value in ASKED[make]:
        assert f"\n  --layout {value} " in str(caught.value)
        assert counts(found(root, layout=value))
    for command in (["data", "check", str(root)], ["run", "--data", str(root), "--out", str(tmp_path / "out")]):
        for lang in ("en", "ko"):
            result = CliRunner().invoke(main, [*command, "--lang", lang])  # no terminal
            assert result.exit_code == 2
            assert f"--layout {ASKED[make][0]}" in result.output
            assert ("Choose one" if lang == "en" else "하나를 고르") in result.output
    assert not (tmp_path / "out").exists()


def test_each_answer_is_what_it_says(tmp_path):
    root = laid(layouts.plantvillage, tmp_path / "plants")
    classes = ("Apple___healthy", "Apple___scab", "Corn___rust")
    color = found(root, layout="only:color")
    assert (color.layout, color.root) == ("Layout: each folder in color/ is a class", str(root / "color"))
    assert counts(color) == of("", classes=classes)
    inner = found(root, layout="inner")
    assert counts(inner) == of("", classes=classes, n=18)
    assert "--layout only:FOLDER" in inner.notes[0]
    assert "--group-by '^([^/]+)/'" in inner.notes[0]
    assert counts(found(root, layout="classes")) == of("", classes=("color", "grayscale", "segmented"), n=18)
    lungs = laid(layouts.radiography, tmp_path / "lungs")
    images = found(lungs, layout="only:images")
    assert counts(images) == of("", classes=("COVID", "Normal", "Viral Pneumonia"))
    assert all("/images/" in one.path for one in images.candidates)
    with pytest.raises(DataError, match=r"unknown folder 'image'; did you mean 'images'"):
        found(lungs, layout="only:image")


def test_versions_and_masks_inside_part_folders(tmp_path):
    versions = tmp_path / "versions"
    Folder(versions).photos(*under(("train/color", "train/gray", "test/color", "test/gray"), CLASSES))
    with pytest.raises(AmbiguousError) as caught:
        found(versions)
    assert [value for value, _said in caught.value.choices] == ["only:color", "only:gray", "parts"]
    color = found(versions, layout="only:color")
    assert counts(color) == of("train", "test")
    assert color.layout == "Layout: training set in train/color/, test set in test/color/" + INSIDE
    assert counts(found(versions, layout="parts")) == of("train", "test", classes=("color", "gray"), n=12)
    inside = tmp_path / "inside"
    Folder(inside).photos(*under(under(("train", "test"), CLASSES), ("images", "masks")))
    images = found(inside, layout="only:images")
    assert counts(images) == of("train", "test")
    assert images.layout.endswith(INSIDE + ", only images/ is used")
    segmentation = tmp_path / "segmentation"
    Folder(segmentation).photos(*under(("train", "test"), ("images", "masks")))
    with pytest.raises(AmbiguousError, match="appear to be images and their masks"):
        found(segmentation)


def test_masks_beside_photos_are_noted(tmp_path):
    """As in the breast ultrasound images of Kaggle."""
    for suffix in ("", "_mask"):
        Folder(tmp_path).photos("benign", "normal", n=4, name="benign ({i})" + suffix + ".png")
    assert found(tmp_path).notes[0] == (
        "files named like masks of other photos: 8, such as benign/benign (0)_mask; they are used as photos"
    )


def test_masks_in_folders_beside_are_noted(tmp_path):
    assert found(laid(layouts.fish, tmp_path)).notes[0].startswith("files named like masks of other photos: ")


def test_several_data_sets_are_asked_about(tmp_path):
    inside = under(("original", "augmented"), ("train", "test"))
    Folder(tmp_path).photos(*under(inside, CLASSES))
    with pytest.raises(AmbiguousError, match="found a training set in each of augmented/, original/") as caught:
        found(tmp_path)
    assert [value for value, _said in caught.value.choices] == ["only:augmented", "only:original"]
    assert counts(found(tmp_path, layout="only:original")) == of("train", "test")


def test_folders_beside_the_data_are_named(tmp_path):
    notes = found(laid(layouts.new_plant, tmp_path)).notes
    assert notes[0] == "only New Plant(Augmented)/New Plant(Augmented)/ is used; not used: test/"


@pytest.mark.parametrize(
    "classes",
    [("train", "bus", "car"), ("steam train", "bullet train", "subway"), ("test_positive", "test_negative"),
     ("training", "running", "testing"), ("valid", "invalid"), ("mask", "no mask")],
)  # fmt: skip
def test_classes_that_are_called_like_parts(classes, tmp_path):
    Folder(tmp_path).photos(*classes)
    assert counts(found(tmp_path)) == of("", classes=classes)


def test_a_person_at_a_terminal_is_asked(tmp_path, monkeypatch):
    root = laid(layouts.plantvillage, tmp_path)
    monkeypatch.setattr(reading, "is_terminal", lambda: True)
    result = CliRunner().invoke(main, ["data", "check", str(root)], input="1\n")
    assert "  1  only color/: each folder in it is a class  (--layout only:color)" in result.output
    assert "Layout: each folder in color/ is a class" in result.output
    study = studies.of_architectures(str(root), ["plain_flower"])
    asked, listed = sources.chosen(study.data_plan, tmp_path / "out", False, lambda error: error.choices[3][0])
    assert (asked.layout, len(listed.candidates)) == ("inner", 54)
    assert studies.parse(studies.dump(dataclasses.replace(study, reading=asked))).reading.layout == "inner"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            layouts.coco,
            "found train2017/, val2017/ without class folders inside; the photos have bounding boxes or masks",
        ),
        (layouts.yolo, "found no class folders in train/; the photos have bounding boxes or masks"),
        (layouts.roboflow_boxes, "found no class folders in train/; the photos have bounding boxes or masks"),
        (layouts.words_in_names, "the names of the photos start with cat, dog: move the photos into one folder per"),
        (layouts.breeds, "labels.csv lists photos with their classes; did you mean --data "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_classification_is_named(make, message, tmp_path):
    root = laid(make, tmp_path / "data")
    with pytest.raises(DataError) as caught:
        found(root)
    assert message in str(caught.value)


def test_unlabelled_photos_are_offered_to_predict(tmp_path):
    listed = found(laid(layouts.unlabelled_test, tmp_path / "kaggle"), keep_going=False)
    assert listed.notes == (
        "test/: photos without a label (not in a class folder) are not used: 5. To classify them after training: "
        f"commongarden predict DIR/runs/ARM/SEED {tmp_path.as_posix()}/kaggle/test",
        "found no validation or test set with classes; both are split off from train/ with the fractions in [split]",
    )
    assert reasons(listed) == {"no label: not in a class folder": 5, "not an image file": 1}


def test_classes_of_a_test_set_may_be_in_a_csv(tmp_path):
    notes = found(laid(layouts.gtsrb, tmp_path)).notes
    assert "Meta/ is neither a class nor a set; its photos are skipped" in notes
    assert "Test.csv lists the classes of the photos in Test/; a CSV of path,label,split can list all sets" in notes
    assert counts(found(tmp_path / "Train.csv")) == of("", classes=("0", "1", "2"))


# losses


def test_a_class_that_falls_away_stops(tmp_path):
    root = laid(layouts.one_class_unread, tmp_path / "data")
    with pytest.raises(DataError) as caught:
        folder.scan(str(root))
    assert "none of the photos can be read in 1 of 4 classes:\n  class 'peony': 6 of 6 photos cannot be read (" in str(
        caught.value
    )
    assert "--keep-going" in str(caught.value)
    assert folder.scan(str(root), keep_going=True).classes == ("daisy", "rose", "tulip")
    output = said(root, code=1)
    assert "note: class 'peony' is excluded: none of its 6 photos can be read (" in output
    assert "`run` rejects this data: " in output


def test_a_class_that_decoding_takes_away_stops_too(tmp_path):
    root = tmp_path / "data"
    made = Folder(root).photos("rose", "tulip", n=40)
    for i in range(3):
        made.file(f"daisy/{i}.png", drawn(i)[:200])
    assert len(found(root, keep_going=False).candidates) == 83
    with pytest.raises(DataError, match=r"class 'daisy': 3 of 3 photos cannot be read \(truncated"):
        folder.scan(str(root))
    told = []
    assert folder.scan(str(root), keep_going=True, tell=told.append).classes == ("rose", "tulip")
    assert told[0].startswith("class 'daisy' is excluded: none of its 3 photos can be read (truncated")


@pytest.mark.parametrize("ending", layouts.UNREAD)
def test_photos_in_formats_that_are_not_read_count(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "HEIF_PACKAGE", "no_such_package")  # without it HEIC is one of them
    layouts.half_unread(tmp_path, ending)
    with pytest.raises(DataError) as caught:
        folder.scan(str(tmp_path))
    assert "12 of 24 photos cannot be read, more than 5%:\n  class 'rose': 6 of 12 photos cannot be read (" in str(
        caught.value
    )
    result = CliRunner().invoke(main, ["run", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2


def test_a_foreign_format_counts_by_its_bytes(tmp_path):
    made = Folder(tmp_path).photos("rose", "tulip", n=4)
    for i in range(4):
        made.file(f"rose/scan{i}", layouts.UNREAD[".jxl"])
    with pytest.raises(DataError, match="4 of 12 photos cannot be read"):
        found(tmp_path, keep_going=False)


# classes


def test_near_class_names_are_shown_and_merged(tmp_path):
    root = laid(layouts.near_names, tmp_path / "data")
    listed = found(root)
    assert listed.notes == (
        "these similar names are separate classes: 'Rose' (4), 'rose' (4); --merge-classes merges them",
        "these similar names are separate classes: 'daisy' (4), 'daisy␣' (4); --merge-classes merges them",
    )
    assert "\n  daisy␣ " in said(root, code=0)
    merged = found(root, merge_classes=True)
    assert set(counts(merged)) == {("", "Rose"), ("", "daisy")}
    assert set(counts(merged).values()) == {8}
    assert merged.notes[0] == "merged into class 'Rose': 'Rose' (4), 'rose' (4)"


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system knows one form")
def test_unicode_forms_of_one_name_are_one_class(tmp_path):
    listed = found(laid(layouts.unicode_forms, tmp_path))
    assert counts(listed) == {("", "café"): 8, ("", "rose"): 4}
    assert listed.notes == (
        "two folders are named café in different Unicode forms (NFC and NFD); they are read as one class",
    )
    rows = [f"{unicodedata.normalize(form, 'café')}/{i}.png,x" for form in ("NFC", "NFD") for i in range(4)]
    Folder(tmp_path).file("photos.csv", "\n".join(["path,label", *rows, "rose/0.png,y"]))
    assert not reasons(found(tmp_path / "photos.csv"))


@pytest.mark.parametrize(
    ("make", "refused", "note", "kept"),
    [
        (layouts.lacks_val, "class 'tulip' has no readable photo in the val set",
         "class 'tulip' has no photos in the validation set and does not affect which epoch is chosen",
         {"rose", "tulip"}),
        (layouts.only_in_test, "class 'daisy' has no readable photo in the train set (and 1 more)",
         "class 'daisy' is excluded: it has no photos in the training set", {"rose", "tulip"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_a_class_that_a_part_lacks(make, refused, note, kept, tmp_path):
    root = laid(make, tmp_path / "data")
    with pytest.raises(DataError) as caught:
        found(root, keep_going=False)
    assert refused in str(caught.value)
    assert "or --keep-going, which " in str(caught.value)
    listed = found(root)
    assert note in listed.notes
    assert {label for _part, label in counts(listed)} == kept
    output = said(root, code=1)
    assert f"note: {note}" in output
    assert f"`run` rejects this data: {root}: {refused}" in output
    assert folder.scan(str(root), keep_going=True).classes == tuple(sorted(kept))


# CSV files


def rows(path="images/{label}/{i}.png", separator=","):
    return [f"{path.format(label=label, i=i)}{separator}{label}" for label in CLASSES for i in range(6)]


@pytest.fixture
def with_csv(tmp_path):
    """Photos in images/rose/, images/tulip/, and a CSV of these lines."""
    Folder(tmp_path).photos(*under(("images",), CLASSES))

    def write(lines, encoding="utf-8", name="photos.csv"):
        (tmp_path / name).write_bytes("\n".join(lines).encode(encoding))
        return tmp_path / name

    return write


MISSING = [
    ("{label}/{i}.png", "they exist below images/: write 'images/rose/0.png' instead of 'rose/0.png'"),
    ("images/{label}/{i}", "they exist with the extension .png: write 'images/rose/0.png' instead of 'images/rose/0'"),
    (
        "{label}/{i}",
        "they exist below images/, with the extension .png: write 'images/rose/0.png' instead of 'rose/0'",
    ),
    ("images/{label}/{i}.jpg", "they exist with the extension .png: write 'images/rose/0.png'"),
    ("Images/{label}/{i}.PNG", "they exist with different upper and lower case: write 'images/rose/0.png'"),
    ("/kaggle/input/x/images/{label}/{i}.png", "they exist without /kaggle/input/x/: write 'images/rose/0.png'"),
    ("C:\\x\\images\\{label}\\{i}.png", "they exist without C:/x/: write 'images/rose/0.png'"),
    (
        "https://example.org/{label}/{i}.png",
        "12 of 12: a web URL; download the photo and write its path (https://example.org/rose/0.png)",
    ),
    ("other/{label}-{i}.png", "12 of 12: no such file (other/rose-0.png)"),
]


@pytest.mark.parametrize(("path", "message"), MISSING, ids=[path for path, _message in MISSING])
def test_rows_without_files_name_the_nearest_fix(path, message, with_csv):
    if path.startswith("Images") and os.path.exists(os.path.join(os.path.dirname(with_csv([])), "IMAGES")):
        pytest.skip("the file system takes upper and lower case alike")
    file = with_csv(["path,label", *rows(path)])
    for keep_going in (False, True):
        with pytest.raises(DataError) as caught:
            found(file, keep_going=keep_going)
        assert f"12 of 12 photos were not found in {file.parent.as_posix()}/:\n  12 of 12: " in str(caught.value)
        assert message in str(caught.value)
    assert "12 of 12 photos were not found" in said(file, "--lang", "en", code=2)
    assert "사진 12장 가운데 12장을" in said(file, "--lang", "ko", code=2)


def test_causes_are_grouped_most_frequent_first(with_csv):
    file = with_csv(["path,label", *rows("{label}/{i}.png"), "http://x/1.png,rose", "gone.png,rose", "gone2.png,rose"])
    with pytest.raises(DataError) as caught:
        found(file)
    starts = [line.split(";")[0].split(" (")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert starts == ["12 of 15: no such file", "2 of 15: no such file", "1 of 15: a web URL"]


def test_a_few_missing_files_are_left_out(with_csv):
    file = with_csv(["path,label", *rows(), "images/gone.png,rose"])
    with pytest.raises(DataError, match="1 of 13: no such file"):
        found(file, keep_going=False)
    assert reasons(found(file)) == {"no such file": 1}


@pytest.mark.parametrize(
    ("lines", "encoding", "layout", "notes"),
    [
        (["filename,class", *rows()], "utf-8", "paths in column filename, classes in column class", ()),
        (["Image;Category", *rows(separator=";")], "utf-8", "paths in column Image, classes in column Category",
         ("photos.csv has semicolons as separators",)),
        (["file\ttarget", *rows(separator="\t")], "utf-16", "paths in column file, classes in column target",
         ("photos.csv is encoded as UTF-16", "photos.csv has tabs as separators")),
        (["image_path,id,class_id,label,data set", *(f"{row.split(',')[0]},7,1,{row.split(',')[1]},train"
                                                   for row in rows())], "utf-8",
         "paths in column image_path, classes in column label, split in column data set", None),
    ],
)  # fmt: skip
def test_csv_as_people_have_them(lines, encoding, layout, notes, with_csv):
    listed = found(with_csv(lines, encoding))
    assert listed.layout == f"Layout: the rows of photos.csv; {layout}"
    assert notes is None or listed.notes == notes
    assert sum(counts(listed).values()) == 12


@pytest.mark.parametrize(
    ("lines", "encoding", "message"),
    [
        (["filename,class,species", "a.png,x,y"], "utf-8", "several columns may contain the classes: class, species"),
        (["filename,image,class", "a.png,b.png,y"], "utf-8", "several columns may contain the paths: filename, image"),
        (["image_id,healthy,rust,scab", "a,1,0,0", "b,0,1,0"], "utf-8", "the columns healthy, rust, scab are one-hot"),
        (rows(), "utf-8", "this line is not a header: add the line path,label above it"),
        (["filename,class,xmin,ymin,xmax,ymax", "a.png,x,0,0,1,1"], "utf-8", "bounding boxes"),
        (["path,label", "a.png,장미"], "cp949", "it may be CP949 (EUC-KR); save it as CSV in UTF-8"),
        (["path,label", "a.png,café"], "cp1252", "it may be Windows-1252 (Latin-1); save it as CSV in UTF-8"),
    ],
)
def test_csv_that_are_not_known_for_sure_are_refused(lines, encoding, message, with_csv):
    with pytest.raises(DataError) as caught:
        found(with_csv(lines, encoding))
    assert message in str(caught.value)


# groups


def test_a_column_of_groups(with_csv):
    lines = [f"images/{label}/{i}.png,{label},p{i // 2}" for label in CLASSES for i in range(6)]
    file = with_csv(["path,label,Patient", *lines])
    listed = found(file)
    assert listed.layout.endswith(", groups in column Patient")
    assert {photo.group for photo in folder.scan(str(file)).photos} == {"p0", "p1", "p2"}
    assert {one.group for one in found(file, group_by=r"(\w+)/\d").candidates} == set(CLASSES)


def test_group_by(tmp_path):
    root = laid(layouts.numbered, tmp_path, "plant{g}_{i}.png")
    photos = folder.scan(str(root), DataOptions(group_by=r"(plant\d+)_")).photos
    assert Counter(photo.group for photo in photos) == {f"plant{g}": 3 for g in range(8)}
    assert {one.group for one in found(root, group_by=r"plant\d+").candidates} == {f"plant{g}" for g in range(8)}
    with pytest.raises(DataError, match=r"--group-by 'animal': found no group in 24 of 24 paths, such as rose/plant"):
        found(root, group_by="animal")
    with pytest.raises(DataError, match="in 12 of 24 paths, such as tulip/"):
        found(root, group_by="rose/plant(.)")
    with pytest.raises(StudyError, match=r"study.group_by: '\(' is not a regular expression"):
        DataOptions(group_by="(")
    assert json.loads(said(root, "--group-by", r"(plant\d+)_", "--json"))["n_groups"] == 8


@pytest.mark.parametrize(
    "name",
    ["plant{g:02}_{i:02}.png", "IMG_{g:04}_{i}.png", "patient{g}-{i}.png", "video{g}_frame{i:04}.png", "{g} ({i}).png"],
)
def test_numbered_names_that_suggest_groups(name, tmp_path):
    root = laid(layouts.numbered, tmp_path, name)
    note = found(root).notes[0]
    assert note.startswith("the file names suggest 8 groups of photos (rose/")
    expression = note.partition("--group-by '")[2].removesuffix("'")
    groups = Counter(one.group for one in found(root, group_by=expression).candidates)
    assert sorted(groups.values()) == [3] * 8
    assert f"note: {note}\n" in said(root, code=0)


@pytest.mark.parametrize(
    "name",
    ["rose_{g:03}{i}.png", "{g}{i}.png", "a (1{g}{i}).png", "IMG_2019050{g}_1{i}0000.png", "img_1_{g}{i}.png",
     "1008{g}{i}_f52e{g}ee070_n.png"],
)  # fmt: skip
def test_numbers_that_only_count_suggest_nothing(name, tmp_path):
    assert found(laid(layouts.numbered, tmp_path, name)).notes == ()


# studies


def study_of(root, **reading):
    study = studies.of_architectures(str(root), ["plain_flower"])
    recipe = dataclasses.replace(study.recipe, resolution=16, epochs=1, batch_size=8)
    return dataclasses.replace(study, recipe=recipe, reading=DataOptions(**reading), seeds=(0,))


def test_a_layout_is_for_folders(with_csv):
    with pytest.raises(DataError, match="found layout 'classes', which applies to folders of photos only"):
        found(with_csv(["path,label", *rows()]), layout="classes")


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_back_to_a_nested_data_set_ends(tmp_path):
    layouts.one_level(tmp_path)
    (tmp_path / "flower_photos" / "rose" / "up").symlink_to(tmp_path / "flower_photos")
    assert counts(found(tmp_path)) == of("")


def test_ablations_take_the_same_options(tmp_path):
    root = laid(layouts.plantvillage, tmp_path / "data")
    command = ["ablate", "residual_flower", "--data", str(root), "--factors", "order", "--dry-run"]
    assert CliRunner().invoke(main, command).exit_code == 2
    text = CliRunner().invoke(main, [*command, "--layout", "only:color"]).stdout
    assert 'layout = "only:color"' in text


def test_study_files_hold_how_data_are_read():
    plain = studies.dump(study_of("photos"))
    assert not {"layout", "group_by", "merge_classes"} & studies.to_table(study_of("photos"))["study"].keys()
    own = study_of("photos", layout="only:color", group_by=r"(\w+)_", merge_classes=True)
    assert studies.parse(studies.dump(own)) == own
    with pytest.raises(StudyError, match=r"study.layout: unknown layout 'class'; did you mean 'classes'\?"):
        studies.parse(plain.replace("data = ", 'layout = "class"\ndata = '))
    with pytest.raises(StudyError, match=r"study\.merge_classes: found 1, accepted: true or false"):
        studies.parse(plain.replace("data = ", "merge_classes = 1\ndata = "))


def test_reading_data_otherwise_is_a_conflict():
    plain, own = study_of("photos"), study_of("photos", layout="inner", group_by="x", merge_classes=True)
    assert studies.conflicts(plain, own) == [
        "study.group_by: 'none' in the folder, 'x' requested",
        "study.merge_classes: 'none' in the folder, True requested",
        "study.layout: 'none' in the folder, 'inner' requested",
    ]
    answered = study_of("photos", layout="inner")  # at the terminal; the same command does not name it
    assert studies.conflicts(answered, plain) == []
    assert studies.extend(answered, plain).reading.layout == "inner"


def test_a_study_repeats_what_was_answered(tmp_path):
    data, out = laid(layouts.patients, tmp_path / "data"), tmp_path / "out"
    store, prepared = prepared_data.prepare_data(study_of(data, layout="inner"), out, tmp_path / "cache")
    assert prepared.manifest.classes == ("0", "1")
    again, same = prepared_data.prepare_data(study_of(data), out, tmp_path / "cache")
    assert same.manifest == prepared.manifest
    assert again.study().reading.layout == "inner"
    assert store.understood().layout.startswith("Layout: classes are the folders inside 8863/, ")
    assert str(data) not in (out / "layout.json").read_text()


@pytest.mark.parametrize("make", [layouts.seg, layouts.plantvillage, layouts.coco], ids=lambda make: make.__name__)
def test_a_study_of_an_earlier_version_goes_on_as_it_was(make, tmp_path):
    data, out = laid(make, tmp_path / "data"), tmp_path / "out"
    _store, before = prepared_data.prepare_data(study_of(data, layout="classes"), out, tmp_path / "cache")
    stores.write_study(out, study_of(data))  # as it was written when there was no such key
    again, after = prepared_data.prepare_data(study_of(data), out, tmp_path / "cache")
    assert after.manifest == before.manifest
    assert again.study().reading == DataOptions()
    with pytest.raises(StoreError, match="study\\.layout: 'none' in the folder, 'parts' requested"):
        prepared_data.prepare_data(study_of(data, layout="parts"), out, tmp_path / "cache")


@pytest.mark.parametrize("names", ["patient", "subset", "patient,lesion_id"])
def test_columns_that_an_earlier_version_did_not_read_are_not_read(with_csv, tmp_path, names):
    cells = {"patient": "p{}", "subset": "{}", "patient,lesion_id": "p{},l1"}[names]
    words = ("train", "val", "test") if names == "subset" else range(3)
    lines = [f"images/{label}/{i}.png,{label},{cells.format(words[i // 2])}" for label in CLASSES for i in range(6)]
    study = study_of(with_csv([f"path,label,{names}", *lines]))
    listed = finding.find(study.data, earlier={"part", "group"})
    bare = dataclasses.replace(
        listed, candidates=tuple(dataclasses.replace(one, group="", part="") for one in listed.candidates)
    )
    _store, before = prepared_data.prepare_data(study, tmp_path / "out", tmp_path / "cache", listed=bare)
    _store, after = prepared_data.prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert after.manifest == before.manifest


def test_a_run_from_data_to_report(tmp_path, commongarden):
    """Parts that lack classes, unlabelled photos, names that suggest groups: said first, kept, and put to use."""
    made = Folder(tmp_path / "data").photos("train/rose", "train/tulip", "train/daisy", "val/rose", "val/tulip", n=8)
    made.photos("test/rose", "test/tulip", "test/lily", n=8).photos("pred", n=2)
    command = ["run", "--data", "data", "--arms", "plain_flower", "--seeds", 1, "--epochs", 1, "--resolution", 16,
               "--batch-size", 8, "--out", "out"]  # fmt: skip
    refused = commongarden(*command, cwd=tmp_path, check=2).stderr
    assert refused.startswith("error: data: class 'lily' has no readable photo in the train set (and 3 more")
    result = commongarden(*command, "--keep-going", cwd=tmp_path, check=0)
    lines = result.stderr.splitlines()
    assert lines[0] == UNDERSTOOD[layouts.parts][0]
    notes = [line for line in lines if line.startswith("note: ")]
    assert "note: class 'lily' is excluded: it has no photos in the training set" in notes
    assert "note: class 'daisy' has no photos in the test set: its accuracy is not measured" in notes
    assert lines.index("loading PyTorch and the statistics libraries") == len(notes) + 1
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert UNDERSTOOD[layouts.parts][0] in page
    assert "its accuracy is not measured" in page
    predicted = commongarden("predict", "out/runs/plain_flower/0", "data/pred", cwd=tmp_path, check=0).stdout
    assert predicted.count("pred/0.png") == 3
    commongarden(*command, "--keep-going", "--lang", "ko", cwd=tmp_path, check=0)


def test_mistakes_in_data_are_found_before_torch_is_loaded(tmp_path):
    layouts.coco(tmp_path / "coco")
    layouts.half_unread(tmp_path / "unread")
    Folder(tmp_path).photos("images/rose").file("photos.csv", "path,label\nrose/0.png,rose\n")
    rows = (f"rose/{i}.png,{'ab'[i % 2]},{'pq'[i % 2]}" for i in range(6))
    Folder(tmp_path).photos("groups/rose").file("groups/photos.csv", "\n".join(("path,label,group", *rows)))
    code = """
import sys
from multiprocessing import forkserver
from commongarden.cli import main, reading
for data in sys.argv[1:]:
    try:
        main(["run", "--data", data, "--out", data + " out"])
    except SystemExit as stopped:
        assert stopped.code == 2, stopped.code
    assert not {"torch", "scipy", "sklearn"} & sys.modules.keys()
    assert forkserver._forkserver._forkserver_pid is None
"""
    places = [str(tmp_path / name) for name in ("coco", "unread", "photos.csv", "groups/photos.csv")]
    result = subprocess.run([sys.executable, "-c", code, *places], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("error: ") == 4
    assert "error: split: all photos belong to 2 groups; accepted: at least 3 groups" in result.stderr
