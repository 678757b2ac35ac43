"""The split: a partition, seeded, the same in any order of files, duplicates together."""

import dataclasses
from collections import Counter, defaultdict

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from commongarden.data import folder
from commongarden.data.split import split
from commongarden.errors import DataError
from commongarden.records import Manifest, Photo
from commongarden.study import SplitPlan
from partitions import check_partition, manifest, parts, plans, seeds, sizes
from paths import SHARED

FLOWERS = SHARED / "flowers"
FACTS = SplitPlan(train=0.80, val=0.05, stratified=False, multiple=10, keep_conflicts=True)


def by_class(made, photos):
    label = {photo.path: photo.label for photo in photos.photos}
    return {part: Counter(label[path] for path in paths) for part, paths in parts(made).items()}


@st.composite
def manifests(draw, declared=("",)):
    """Photos with copies, some of them under two labels or in two parts."""
    photos = []
    for label in "abc"[: draw(st.integers(2, 3))]:
        for part in declared:
            n = draw(st.integers(8, 25))
            photos += [Photo(f"{part}/{label}/{i}.jpg", label, part, f"{part}{label}{i}") for i in range(n)]
    n_copies = draw(st.integers(0, 6))
    for i in range(n_copies):
        original = photos[draw(st.integers(0, len(photos) - 1))]
        label = draw(st.sampled_from([original.label, original.label, "a"]))
        part = draw(st.sampled_from(declared))
        photos.append(Photo(f"{part}/{label}/copy{i}.jpg", label, part, original.sha256))
    return Manifest("photos", tuple(sorted(photos, key=lambda photo: photo.path)))


DECLARED = [("",), ("train",), ("train", "test"), ("train", "val"), ("train", "val", "test")]


def check_duplicates_together(photos, made):
    part = {path: name for name, paths in parts(made).items() for path in paths}
    found = defaultdict(set)
    for photo in photos.photos:
        if photo.path in part:
            found[photo.sha256].add(part[photo.path])
    assert all(len(names) == 1 for names in found.values())


@pytest.mark.parametrize("declared", DECLARED, ids="+".join)
@settings(max_examples=60)
@given(data=st.data(), plan=plans, seed=seeds)
def test_every_photo_is_in_one_place_and_copies_together(declared, data, plan, seed):
    photos = data.draw(manifests(declared))
    try:
        made = split(photos, plan, seed)
    except DataError:  # copies under another label, or in another part, took all of a class
        reject()
    check_partition(photos, made)
    check_duplicates_together(photos, made)
    label = {photo.path: photo.label for photo in photos.photos}
    labels_of = defaultdict(set)
    for photo in photos.photos:
        labels_of[photo.sha256].add(photo.label)
    conflicting = {photo.path for photo in photos.photos if len(labels_of[photo.sha256]) > 1}
    if not plan.keep_conflicts:
        assert conflicting <= {left.path for left in made.left_out}
    if declared == ("",):
        assert {left.path for left in made.left_out} == (set() if plan.keep_conflicts else conflicting)
        if plan.stratified and not conflicting:
            assert all({label[path] for path in paths} == set(label.values()) for paths in parts(made).values())


@settings(max_examples=40)
@given(photos=manifests(), plan=plans, seed=seeds, randomly=st.randoms())
def test_the_order_of_files_does_not_matter(photos, plan, seed, randomly):
    shuffled = list(photos.photos)
    randomly.shuffle(shuffled)
    try:
        expected = split(photos, plan, seed)
    except DataError:
        reject()
    assert split(dataclasses.replace(photos, photos=tuple(shuffled)), plan, seed) == expected


@settings(max_examples=40)
@given(n=st.dictionaries(st.sampled_from("abcdef"), st.integers(3, 200), min_size=2), plan=plans, seed=seeds)
def test_stratified_sizes(n, plan, seed):
    plan = dataclasses.replace(plan, stratified=True, multiple=1)
    photos = manifest(n)
    found = by_class(split(photos, plan, seed), photos)
    shares = {"train": plan.train, "val": plan.val, "test": 1 - plan.train - plan.val}
    for label, size in n.items():
        for part, share in shares.items():
            assert found[part][label] >= 1
            if share * size >= 1:
                assert abs(found[part][label] - share * size) < 1 + 1e-9 or size < 1 / min(shares.values()) + 2


@settings(max_examples=40)
@given(n=st.integers(60, 500), plan=plans, seed=seeds)
def test_shuffled_sizes(n, plan, seed):
    plan = dataclasses.replace(plan, stratified=False)
    made = split(manifest({"a": n // 2, "b": n - n // 2}), plan, seed)
    n_train = int(plan.train * n + 1e-9)
    assert len(made.train) == n_train - n_train % plan.multiple
    assert len(made.val) == int(plan.val * n + 1e-9)


def test_stratified_by_default():
    photos = manifest({"a": 100, "b": 40, "c": 20})
    found = by_class(split(photos, SplitPlan(), 0), photos)
    assert found == {
        "train": {"a": 80, "b": 32, "c": 16},
        "val": {"a": 5, "b": 2, "c": 1},
        "test": {"a": 15, "b": 6, "c": 3},
    }


def test_three_photos_are_enough_for_a_class_and_two_are_not():
    photos = manifest({"a": 30, "b": 3})
    assert all(found["b"] == 1 for found in by_class(split(photos, SplitPlan(), 0), photos).values())
    with pytest.raises(DataError, match="class 'b' has 2 different photos; a stratified split needs at least 3"):
        split(manifest({"a": 30, "b": 2}), SplitPlan(), 0)


def test_copies_do_not_make_a_class_larger():
    photos = (*manifest({"a": 30}).photos, *(Photo(f"b/{i}.jpg", "b", "", f"b{i % 2}") for i in range(8)))
    with pytest.raises(DataError, match="class 'b' has 2 different photos"):
        split(Manifest("photos", photos), SplitPlan(), 0)


@pytest.mark.parametrize("stratified", [True, False])
def test_train_is_a_multiple(stratified):
    made = split(manifest({"a": 103, "b": 47, "c": 61}), SplitPlan(multiple=32, stratified=stratified), 3)
    assert len(made.train) == 160


def test_too_few_photos_for_the_shares():
    with pytest.raises(DataError, match="6 photos give train 4, val 0, test 2; accepted: at least one photo in each"):
        split(manifest({"a": 3, "b": 3}), SplitPlan(stratified=False), 0)
    with pytest.raises(DataError, match=r"split\.multiple: found 100"):
        split(manifest({"a": 30, "b": 30}), SplitPlan(multiple=100), 0)


def test_the_seed_changes_the_split_and_nothing_else_does():
    photos = manifest({"a": 50, "b": 50})
    splits = {split(photos, SplitPlan(), seed).hash for seed in range(20)}
    assert len(splits) == 20
    assert split(photos, SplitPlan(), 7) == split(photos, SplitPlan(), 7)
    renamed = tuple(dataclasses.replace(photo, path=f"new/{photo.path}") for photo in photos.photos)
    made = split(Manifest("elsewhere", renamed), SplitPlan(), 7)
    assert made.train == tuple(f"new/{path}" for path in split(photos, SplitPlan(), 7).train)


def test_this_split_stays_as_it_is():
    """Numbers that a study was run with must not change with a version."""
    made = split(manifest({"a": 12, "b": 12}), SplitPlan(train=0.6, val=0.2), 1)
    assert made.hash == "828377f9828e376a35654fba4e321ca0d2083f96fea9530ca558d541d2f7eff2"


def test_train_is_shuffled_over_classes():
    made = split(manifest({"a": 50, "b": 50}), SplitPlan(), 0)
    assert {path[0] for path in made.train[:15]} == {"a", "b"}


def test_conflicts_are_left_out_with_their_reason():
    base = manifest({"a": 10, "b": 10}).photos
    photos = Manifest("photos", (*base, Photo("b/x.jpg", "b", "", "a3"), Photo("a/y.jpg", "a", "", "a3")))
    made = split(photos, SplitPlan(), 0)
    assert {left.path: left.reason for left in made.left_out} == {
        "a/0003.jpg": "conflicting labels: a here, b (b/x.jpg) for a duplicate",
        "a/y.jpg": "conflicting labels: a here, b (b/x.jpg) for a duplicate",
        "b/x.jpg": "conflicting labels: b here, a (a/0003.jpg), a (a/y.jpg) for a duplicate",
    }
    assert split(photos, SplitPlan(keep_conflicts=True), 0).left_out == ()


def test_declared_parts_are_kept():
    photos = Manifest("photos", _declared("train", 10) + _declared("val", 10) + _declared("test", 10))
    made = split(photos, SplitPlan(multiple=7), 0)
    assert {path.split("/")[0] for path in made.train} == {"train"}
    assert sizes(made) == (20, 20, 20)
    assert set(made.val) == {photo.path for photo in photos.photos if photo.part == "val"}


def _declared(part, n):
    return tuple(Photo(f"{part}/{label}/{i}.jpg", label, part, f"{part}{label}{i}") for label in "ab" for i in range(n))


def test_val_is_carved_from_train():
    photos = Manifest("photos", _declared("train", 85) + _declared("test", 10))
    made = split(photos, SplitPlan(), 0)
    assert sizes(made) == (160, 10, 20)
    assert {path.split("/")[0] for path in made.val} == {"train"}


def test_test_is_carved_from_train():
    photos = Manifest("photos", _declared("train", 95) + _declared("val", 10))
    made = split(photos, SplitPlan(), 0)
    assert sizes(made) == (160, 20, 30)


@pytest.mark.parametrize(
    ("where", "stays"),
    [
        (("train", "test"), "test"),
        (("train", "val"), "val"),
        (("val", "test"), "test"),
        (("train", "val", "test"), "test"),
    ],
)
def test_copies_across_declared_parts_stay_in_test_then_in_val(where, stays):
    base = _declared("train", 10) + _declared("val", 10) + _declared("test", 10)
    copies = tuple(Photo(f"{part}/a/copy.jpg", "a", part, "copied") for part in where)
    made = split(Manifest("photos", base + copies), SplitPlan(), 0)
    assert [name for name, paths in parts(made).items() if any("copy" in path for path in paths)] == [stays]
    assert {left.path: left.reason for left in made.left_out} == {
        f"{part}/a/copy.jpg": f"duplicate of a photo in the {stays} set ({stays}/a/copy.jpg), which is kept"
        for part in where
        if part != stays
    }


def test_a_declared_part_that_loses_all_its_photos():
    train = tuple(Photo(f"train/{i}.jpg", "a", "train", f"{i}") for i in range(3))
    test = tuple(Photo(f"test/{i}.jpg", "a", "test", f"{i}") for i in range(3))
    val = _declared("val", 3)
    with pytest.raises(DataError, match="no photo is left for the train set"):
        split(Manifest("photos", train + test + val), SplitPlan(), 0)


@pytest.mark.skipif(not FLOWERS.is_dir(), reason="the flower photos are not in ../shared/flowers")
def test_the_flowers_study_has_the_sizes_of_the_original():
    photos = folder.scan(str(FLOWERS))
    assert folder.summary(photos)["classes"] == {
        "daisy": 764, "dandelion": 1052, "rose": 784, "sunflower": 733, "tulip": 984
    }  # fmt: skip
    for seed in range(30):
        made = split(photos, FACTS, seed)
        assert sizes(made) == (3450, 215, 652)
        assert made.left_out == ()
        check_duplicates_together(photos, made)
    assert len(split(photos, SplitPlan(), 0).left_out) == 8


def test_a_class_that_is_nothing_but_conflicts_is_told():
    photos = manifest({"rose": 12, "daisy": 12}).photos
    copies = tuple(Photo(f"tulip/{i}.jpg", "tulip", "", photos[i].sha256) for i in range(4))
    with pytest.raises(DataError, match="class 'tulip' has no photos in the training set"):
        split(Manifest("photos", photos + copies), SplitPlan(), 0)


def test_a_class_that_declared_parts_take_the_photos_of_is_told():
    train, test = manifest({"rose": 9, "tulip": 3}, "train").photos, manifest({"rose": 4}, "test").photos
    copies = tuple(Photo(f"test/{i}.jpg", "tulip", "test", f"tulip{i}") for i in range(3))
    with pytest.raises(DataError, match="class 'tulip' has no photos in the training set"):
        split(Manifest("photos", train + test + copies), SplitPlan(stratified=False), 0)
