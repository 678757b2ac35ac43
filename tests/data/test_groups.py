"""Photos of one patient, plant or video: in one part of every split, whatever else the split does."""

import dataclasses
import hashlib
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from commongarden.data import checked
from commongarden.data.dealing import deal
from commongarden.data.split import fold, of_run_seed, split
from commongarden.errors import DataError
from commongarden.records import Manifest, Photo, inspection
from commongarden.study import SplitPlan
from partitions import check_partition, manifest, parts, plans, seeds

GOLDEN = {  # of the version before there were groups
    "split": "cf0a19db1c21fccaeca63c4e1b5e36b2fb8abf25c0e53ec2fc34d28f188bfec2",
    "varied": "98d6219cf93050d6c89c7e97f30de3e2369bc972f11661b7e899d6eed903debd",
    "fold": "4522bd215e2b2478988234f47289a7f9db737e8c0573234b8e62da633349b444",
    "shuffled": "1d93475796f62d141b960f7d6ec1ea3a96745ffb9f69c987eda01af2eca6f145",
    "shuffled fold": "05f0e4a09e263ad0b75011547cd2ec6cc7cabb13e5d9efa1812093bbefb030e2",
    "declared": "2391834a66d847d75b8b2f93ffb2526f4cc7ffc457a00046d24e88885219cb25",
}


def patients(sizes, labels="ab", part="", start=0):
    """So many photos of each patient, who has one label each, in turn."""
    found = []
    for p, size in enumerate(sizes, start):
        label, group = labels[p % len(labels)], f"p{p}"
        found += [Photo(f"{label}/{part}{group}_{i}.jpg", label, part, f"{part}{p}.{i}", group) for i in range(size)]
    return found


def of(photos):
    return Manifest("photos", tuple(sorted(photos, key=lambda photo: photo.path)))


def groups_in(photos, made):
    """The parts of each group."""
    part = {path: name for name, paths in parts(made).items() for path in paths}
    found = defaultdict(set)
    for photo in photos.photos:
        if photo.group and photo.path in part:
            found[photo.group].add(part[photo.path])
    return found


@st.composite
def grouped(draw):
    """Patients of one to three labels, single photos, and copies of photos in other groups."""
    photos, n_groups = [], draw(st.integers(6, 30))
    for p in range(n_groups):
        labels = draw(st.sampled_from(["a", "b", "ab", "abc"]))
        photos += [
            Photo(f"{p}/{i}.jpg", labels[i % len(labels)], "", f"{p}.{i}", f"g{p}")
            for i in range(draw(st.integers(1, 9)))
        ]
    photos += [Photo(f"single/{i}.jpg", "abc"[i % 3], "", f"single{i}") for i in range(draw(st.integers(0, 30)))]
    for i in range(draw(st.integers(0, 4))):
        original = draw(st.sampled_from(photos))
        group = draw(st.sampled_from(["", "g0", "g1", original.group]))
        photos.append(Photo(f"copy/{i}.jpg", original.label, "", original.sha256, group))
    return of(photos)


@settings(max_examples=15)
@given(photos=grouped(), plan=plans, seed=seeds, n=st.integers(2, 4), near=st.data())
def test_no_group_is_in_two_parts_and_every_photo_in_one(photos, plan, seed, n, near):
    paths = [photo.path for photo in photos.photos]
    alike = [near.draw(st.lists(st.sampled_from(paths), min_size=2, max_size=3, unique=True))]
    try:
        whole = split(photos, plan, seed, alike)
        folds = [fold(photos, plan, seed, i, n, alike) for i in range(n)]
    except DataError:  # too few groups of a class
        reject()
    for made in (whole, *folds):
        check_partition(photos, made)
        assert all(len(found) == 1 for found in groups_in(photos, made).values())
        part = {path: name for name, of_part in parts(made).items() for path in of_part}
        assert len({part[path] for path in alike[0] if path in part}) <= 1
    tested = Counter(path for made in folds for path in made.test)
    assert set(tested.values()) == {1}
    assert len(tested) == len(photos.photos) - len(whole.left_out)


@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=12, max_size=60),
    labels=st.sampled_from(["ab", "abc"]),
    plan=plans,
    seed=seeds,
)
def test_shares_are_near_the_plan_and_each_class_in_each_part(sizes, labels, plan, seed):
    photos = of(patients(sizes, labels))
    plan = dataclasses.replace(plan, multiple=1)
    try:
        made = split(photos, plan, seed)
    except DataError:
        assert not plan.stratified  # chance may leave a class without training photos
        reject()
    label = {photo.path: photo.label for photo in photos.photos}
    shares = {"train": plan.train, "val": plan.val, "test": 1 - plan.train - plan.val}
    for name, paths in parts(made).items():
        assert abs(len(paths) - shares[name] * sum(sizes)) <= (len(labels) if plan.stratified else 1) * (max(sizes) + 1)
        if plan.stratified:
            assert {label[path] for path in paths} == set(labels)


def test_single_photos_fill_the_parts_up():
    photos = of(patients([17, 9, 5, 5, 3], "a") + list(manifest({"a": 61, "b": 100}).photos))
    made = split(photos, SplitPlan(train=0.6, val=0.2), 3)
    assert (len(made.train), len(made.val), len(made.test)) == (120, 40, 40)


def test_a_copy_in_another_group_joins_the_two():
    photos = patients([3] * 20)
    twin = dataclasses.replace(photos[0], path="a/twin.jpg", group="p2")
    for seed in range(10):
        made = split(of([*photos, twin]), SplitPlan(train=0.5, val=0.25), seed)
        assert len(set().union(*(groups_in(of([*photos, twin]), made)[name] for name in ("p0", "p2")))) == 1
    chain = [("a/p0_0.jpg", "b/p1_0.jpg"), ("b/p1_1.jpg", "a/p4_0.jpg")]
    for seed in range(10):
        found = groups_in(of(photos), split(of(photos), SplitPlan(train=0.5, val=0.25), seed, chain))
        assert len(found["p0"] | found["p1"] | found["p4"]) == 1
    ignored = SplitPlan(train=0.5, val=0.25, near_duplicates="ignore")
    apart = [groups_in(of(photos), split(of(photos), ignored, seed, chain)) for seed in range(10)]
    assert any(found["p0"] != found["p1"] for found in apart)


@settings(max_examples=15)
@given(photos=grouped(), plan=plans, seed=seeds, randomly=st.randoms())
def test_neither_the_order_of_files_nor_the_names_of_groups_matter(photos, plan, seed, randomly):
    shuffled = [dataclasses.replace(photo, group=photo.group and f"x{photo.group}") for photo in photos.photos]
    randomly.shuffle(shuffled)
    try:
        expected = split(photos, plan, seed)
    except DataError:
        reject()
    assert split(Manifest("photos", tuple(shuffled)), plan, seed) == expected


def test_a_group_comes_into_a_part_as_often_as_the_share_says_whatever_its_size():
    photos, n = of(patients([20, 20, 20, *[8] * 10, *[3] * 40])), 40
    found = Counter()
    for seed in range(n):
        for name, where in groups_in(photos, split(photos, SplitPlan(0.6, 0.2), seed)).items():
            found[name] += where == {"test"}
    assert (found["p1"] + found["p2"]) / n / 2 == pytest.approx(0.2, abs=0.12)
    assert sum(found[f"p{i}"] for i in range(3, 13)) / n / 10 == pytest.approx(0.2, abs=0.05)


def test_folds_are_as_even_as_those_of_scikit_learn():
    """Within a photo of 75, on average over folds: both are heuristics."""
    from sklearn.model_selection import StratifiedGroupKFold

    generator, ours, theirs = np.random.default_rng(0), [], []
    for trial in range(4):
        sizes = generator.geometric(0.12, 60)
        photos = of(patients(sizes.tolist(), "aab"))
        labels = np.array([photo.label for photo in photos.photos])
        names = np.array([photo.group for photo in photos.photos])
        kfold = StratifiedGroupKFold(5, shuffle=True, random_state=trial)
        theirs += [_off(labels, labels[test]) for _train, test in kfold.split(labels, labels, names)]
        label = {photo.path: photo.label for photo in photos.photos}
        made = [fold(photos, SplitPlan(), trial, number, 5) for number in range(5)]
        ours += [_off(labels, np.array([label[path] for path in one.test])) for one in made]
    assert np.mean(ours) <= np.mean(theirs) + 1


def _off(labels, inside):
    return sum(abs((inside == label).sum() - (labels == label).sum() / 5) for label in "ab")


def test_too_few_groups():
    with pytest.raises(DataError, match="all photos belong to 2 groups; accepted: at least 3 groups, one for each of"):
        split(of(patients([10, 10])), SplitPlan(stratified=False), 0)
    with pytest.raises(DataError, match=r"class 'a' belong to 2 groups; a stratified split needs at least 3 group"):
        split(of(patients([10] * 4)), SplitPlan(), 0)
    with pytest.raises(DataError, match=r"belong to 4 groups; .* at least 5 groups of each class, one for each of 5 f"):
        fold(of(patients([10] * 8)), SplitPlan(), 0, 0, 5)
    assert split(of(patients([10] * 6)), SplitPlan(), 0).test


def test_groups_of_several_labels_in_each_part():
    """Two eyes of a patient, one ill: every group has both classes."""
    photos = of([Photo(f"{p}{eye}.jpg", eye, "", f"{p}{eye}", f"p{p}") for p in range(7) for eye in ("ill", "well")])
    made = split(photos, SplitPlan(), 0)
    assert (len(made.train), len(made.val), len(made.test)) == (10, 2, 2)


def test_varied_splits_and_folds_of_a_study_keep_groups(study_file):
    from commongarden import study as study_files

    study = study_files.read(study_file)
    photos = of(patients([4] * 24))
    varied = dataclasses.replace(study, vary=("init", "order", "split"))
    made = [of_run_seed(photos, varied.data_plan, seed) for seed in (0, 1, 2)]
    assert len({one.hash for one in made}) == 3
    assert all(len(found) == 1 for one in made for found in groups_in(photos, one).values())


def test_declared_parts_stay_and_a_divided_group_is_found():
    photos = of([*patients([5] * 8, part="train"), *patients([4] * 4, part="test", start=6)])
    made = split(photos, SplitPlan(), 0)
    assert set(made.test) == {photo.path for photo in photos.photos if photo.part == "test"}
    found = groups_in(photos, made)
    assert [name for name, where in found.items() if {"train", "val"} <= where] == []  # what was carved is whole
    divided = inspection.divided(photos, inspection.part_of(made))
    assert {name: set(where) for name, where in divided.items()} == {
        name: where for name, where in found.items() if len(where) > 1
    }
    assert set(divided) == {"p6", "p7"}
    (said,) = inspection.divided_warnings(photos, inspection.part_of(made))
    assert "2 groups are in two or more sets (p6: val, test; ...): 8 of 16 test photos belong to" in said
    noted = checked.summary(photos, None)
    assert noted["divided_groups"] == {"p6": ["train", "test"], "p7": ["train", "test"]}
    assert noted["groups"]["p6"] == 9
    assert [line for line in noted["notes"] if "group" in line] == [
        "10 groups of photos (patient, plant, video) are each kept in one set; photos in each: 4 to 9",
        "2 groups are in two or more sets (p6: train, test; ...): 8 of 16 test photos belong to "
        "groups that are in another set too, so accuracy is probably overestimated",
    ]


def test_without_groups_a_split_is_bit_for_bit_what_it_was():
    photos = list(manifest({"a": 60, "b": 37, "c": 19}).photos)
    photos += [Photo(f"a/copy{i}.jpg", "a", "", f"a{i * 3}") for i in range(5)]
    photos += [Photo("b/conflict.jpg", "b", "", "a7")]
    photos = of(photos)
    alike = [("a/0001.jpg", "a/0002.jpg", "b/0003.jpg"), ("c/0001.jpg", "c/0005.jpg")]
    plan = SplitPlan(train=0.6, val=0.2, multiple=4)
    shuffled = dataclasses.replace(plan, stratified=False)
    declared = of(
        dataclasses.replace(photo, part="test" if i % 5 == 0 else "train") for i, photo in enumerate(photos.photos)
    )
    assert {
        "split": split(photos, plan, 5, alike).hash,
        "varied": split(photos, plan, "5+3", alike).hash,
        "fold": fold(photos, plan, 5, 2, 4, alike).hash,
        "shuffled": split(photos, shuffled, 5, alike).hash,
        "shuffled fold": fold(photos, shuffled, 5, 2, 4, alike).hash,
        "declared": split(declared, SplitPlan(train=0.6, val=0.2), 5, alike).hash,
    } == GOLDEN


def test_a_deal_of_ten_thousand_groups_takes_no_time_to_speak_of():
    ranks = [hashlib.sha256(b"%d" % i).digest() for i in range(10_000)]
    counts = [{"ab"[i % 2]: 1 + i % 7} for i in range(10_000)]
    total = {label: sum(count.get(label, 0) for count in counts) for label in "ab"}
    wanted = [{label: int(Fraction(share, 10) * n) for label, n in total.items()} for share in (7, 1, 2)]
    found = [Counter() for _ in wanted]
    for count, place in zip(counts, deal(counts, ranks, wanted), strict=True):
        found[place].update(count)
    assert all(abs(found[i][label] - wanted[i][label]) <= 7 for i in range(3) for label in "ab")
