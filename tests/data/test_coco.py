"""COCO annotations: classes where each photo has one category, and what is refused."""

import json

import pytest

from commongarden.data import folder
from commongarden.errors import DataError
from shard_files import png

CATEGORIES = [{"id": 7, "name": "rose", "supercategory": "flower"}, {"id": 9, "name": "tulip"}]


def coco(root, file="annotations.json", more=(), photos="", categories=CATEGORIES, n=8):
    """Annotations of n photos of two classes, two boxes on each, and the photos."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 24} for i in range(n)]
    boxes = [{"id": 2 * i + j, "image_id": i, "category_id": 7 + 2 * (i % 2), "bbox": [j, 0, 9, 9]}
             for i in range(n) for j in range(2)]  # fmt: skip
    (root / photos).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (root / photos / f"{i}.png").write_bytes(png(i))
    path = root / file
    path.parent.mkdir(exist_ok=True)
    about = {"info": {}, "images": images, "annotations": [*boxes, *more], "categories": categories}
    path.write_text(json.dumps(about))
    return path


@pytest.mark.parametrize(
    ("file", "photos"),
    [
        ("annotations.json", ""),
        ("annotations.json", "images"),
        ("annotations/instances_train2017.json", "train2017"),
    ],
)
def test_one_category_each_is_a_class(tmp_path, file, photos):
    found = folder.scan(str(coco(tmp_path, file, photos=photos)))
    assert found.root == str(tmp_path / photos)
    assert {photo.path: photo.label for photo in found.photos} == {
        f"{i}.png": ("rose", "tulip")[i % 2] for i in range(8)
    }


def test_the_command_reads_them(commongarden, tmp_path):
    path = coco(tmp_path)
    done = commongarden("data", "check", path, check=0)
    said = "Layout: the COCO annotations in annotations.json; the class of each photo is its category"
    assert done.stdout.splitlines()[0] == said
    refused = commongarden("data", "check", tmp_path)
    assert refused.returncode != 0
    assert f"annotations.json holds COCO annotations; did you mean --data {path.as_posix()}?" in refused.stderr


def test_photos_without_an_annotation_and_missing_ones_are_left_out(tmp_path):
    path = coco(tmp_path, n=60)
    about = json.loads(path.read_text())
    about["images"].append({"id": 99, "file_name": "none.png"})
    path.write_text(json.dumps(about))
    (tmp_path / "none.png").write_bytes(png(99))
    (tmp_path / "3.png").unlink()
    assert {out.path: out.reason for out in folder.scan(str(path)).left_out} == {
        "none.png": "no label: no annotation in annotations.json",
        "3.png": "no such file",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"more": [{"image_id": 2, "category_id": 9}]}, r"1 of 8 photos, such as 2\.png, have objects of several"),
        ({"more": [{"image_id": 2, "category_id": 1}]}, "found the category 1 of an annotation"),
        ({"categories": [{"id": 7, "name": "a\x1b"}, {"id": 9, "name": "b"}]}, "names without control characters"),
    ],
)
def test_annotations_that_are_refused(tmp_path, changed, said):
    with pytest.raises(DataError, match=said):
        folder.scan(str(coco(tmp_path, **changed)))


def test_other_json_and_paths_that_lead_out_are_refused(tmp_path):
    path = coco(tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"0.png"', '"../0.png"'))
    with pytest.raises(DataError, match=r"found the path '\.\./0\.png'"):
        folder.scan(str(path))
    path.write_text(json.dumps([{"data": {"image": "0.png"}, "annotations": []}]))
    with pytest.raises(DataError, match=r"not COCO annotations: .*From Label Studio, export CSV or COCO"):
        folder.scan(str(path))
