"""Splits for tests: images and plans to split by, and what every split must satisfy."""

from hypothesis import strategies as st

from commongarden.records import Manifest, Photo
from commongarden.study import SplitPlan


def manifest(sizes, part=""):
    """Classes of so many photos, all different."""
    names = [(label, i) for label in sorted(sizes) for i in range(sizes[label])]
    return Manifest("photos", tuple(Photo(f"{label}/{i:04}.jpg", label, part, f"{label}{i}") for label, i in names))


def parts(made):
    return {"train": made.train, "val": made.val, "test": made.test}


def sizes(made):
    return len(made.train), len(made.val), len(made.test)


plans = st.builds(
    SplitPlan,
    train=st.sampled_from([0.5, 0.6, 0.75]),
    val=st.sampled_from([0.1, 0.2, 0.15]),
    stratified=st.booleans(),
    multiple=st.sampled_from([1, 1, 2, 5]),
    keep_conflicts=st.booleans(),
)


seeds = st.integers(0, 2**63)


def check_partition(photos, made):
    everywhere = [*made.train, *made.val, *made.test, *(left.path for left in made.left_out)]
    assert sorted(everywhere) == sorted(photo.path for photo in photos.photos)
    assert min(sizes(made)) > 0
