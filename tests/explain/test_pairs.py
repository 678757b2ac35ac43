"""A planted difference is explained rightly, and where there is none no reason is claimed."""

import sys

import pytest

import pairs


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="each process is kept to a core, which Linux alone does")
def test_nine_planted_differences_in_ten_are_the_first_reason_and_none_is_made_up():
    found = list(pairs.measured(seed=2, n=40, n_null=20))
    planted, null = [one for one in found if one.kind], [one for one in found if not one.kind]
    assert sum(one.is_right for one in planted) >= 36, [one for one in planted if not one.is_right]
    assert sum(bool(one.reasons) for one in null) <= 1, [one for one in null if one.reasons]


def test_every_kind_is_drawn_equally_often_and_behind_them_pairs_of_equals():
    drawn = pairs.drawn(2, 40, 20)
    kinds = [kind for _, _, kind in drawn]
    assert {kind: kinds.count(kind) for kind in pairs.KINDS} == dict.fromkeys(pairs.KINDS, 8)
    assert kinds[40:] == [""] * 20
