"""Arms of several studies compared: as one study would compare them, and not where that is not allowed."""

import pytest

from commongarden import stats
from commongarden.stats.between_studies import Side, compared
from grown import grown

REACHED = {"a": (0.50, 0.52, 0.49, 0.55), "b": (0.72, 0.70, 0.75, 0.69)}


def side(root, name, arms, above=0.0, **more):
    store = grown(root / name, {arm: tuple(one + above for one in REACHED[arm]) for arm in arms}, **more)
    return Side(name, store, stats.summarize(store))


def test_two_studies_say_what_one_would(tmp_path):
    """The two arms of a study, each in a study of its own: the same difference and interval."""
    (whole,) = side(tmp_path, "both", "ab").results.contrasts
    (found,), barred = compared([side(tmp_path, "one", "a"), side(tmp_path, "two", "b")])
    assert not barred
    assert (found.one, found.two, found.n_seeds) == (("one", "a"), ("two", "b"), 4)
    sign = 1 if (whole.arm, whole.against) == ("a", "b") else -1
    assert found.difference.value == pytest.approx(sign * whole.difference.value)
    assert found.difference.high - found.difference.low == pytest.approx(whole.difference.high - whole.difference.low)
    assert found.p_holm == pytest.approx(whole.p_holm)
    assert found.outcome == "worse"


def test_arms_of_the_same_name_are_one_family(tmp_path):
    """With three studies there are three pairs of each arm, and Holm's levels are those of six comparisons."""
    sides = [side(tmp_path, name, "ab", above) for name, above in (("one", 0), ("two", 0.01), ("three", 0.02))]
    found, _barred = compared(sides)
    assert [(one.one[1], one.two[1]) for one in found] == [("a", "a"), ("b", "b")] * 3
    assert {one.outcome for one in found} == {"not resolved"}


def test_a_copy_is_said_to_be_one(tmp_path):
    found, (barred,) = compared([side(tmp_path, "one", "ab"), side(tmp_path, "copy", "ab")])
    assert (found, barred.reason) == ((), "runs")


@pytest.mark.parametrize(
    ("arms", "more", "reason"),
    [
        ("a", {"classes": ("daisy", "rose", "lily")}, "classes"),
        ("a", {"classes": ("daisy", "rose")}, "classes"),
    ],
)
def test_other_classes_are_not_compared(tmp_path, arms, more, reason):
    found, (barred,) = compared([side(tmp_path, "one", "a"), side(tmp_path, "two", arms, **more)])
    assert not found
    assert barred.reason == reason


def test_other_test_photos_and_too_few_seeds_are_not_compared(tmp_path):
    one = side(tmp_path, "one", "a")
    store = grown(tmp_path / "single", {"a": (0.5,)})
    _found, (barred,) = compared([one, Side("single", store, stats.summarize(store))])
    assert (barred.reason, barred.n_shared) == ("seeds", 1)
    other = side(tmp_path, "other", "a")
    path = tmp_path / "other" / "manifest.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",000000", ",ffffff"), encoding="utf-8")
    (tmp_path / "other" / "checksums.sha256").unlink()
    _found, (barred,) = compared([one, other])
    assert barred.reason == "photos"
    assert barred.n_shared == barred.n_most - 1
