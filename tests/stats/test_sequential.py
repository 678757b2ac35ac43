"""Repeated looks keep the error rate: the levels against other people's numbers, the rule against simulated studies."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from commongarden.stats import racing, sequential
from racing_studies import PLANNED, simulate, table


def test_first_look_at_three_seeds_and_the_last_at_the_most():
    assert sequential.interim_schedule(20) == (3, 4, 5, 6, 8, 10, 12, 15, 20)
    assert sequential.interim_schedule(10) == (3, 4, 5, 6, 8, 10)
    assert sequential.interim_schedule(3) == (3,)
    assert sequential.interim_schedule(1) == (1,)


@given(st.integers(1, 200))
def test_looks_rise_to_the_most(most):
    looks = sequential.interim_schedule(most)
    assert looks[-1] == most
    assert all(a < b for a, b in itertools.pairwise(looks))


@pytest.mark.parametrize("alpha", [0.05, 0.0125])
def test_levels_spend_what_was_planned(alpha):
    """Against scipy's integral of the multivariate normal, which knows nothing of the recursion."""
    fractions = [0.3, 0.5, 0.8, 1.0]
    bounds = sequential.bounds(fractions, [sequential.alpha_spent(fraction, alpha) for fraction in fractions])
    correlation = np.array([[min(a, b) / (a * b) ** 0.5 for b in fractions] for a in fractions])
    for k in range(1, len(fractions) + 1):
        limit = np.array(bounds[:k])
        normal = scipy_stats.multivariate_normal(np.zeros(k), correlation[:k, :k], seed=0)
        inside = normal.cdf(limit, lower_limit=-limit)
        assert 1 - inside == pytest.approx(sequential.alpha_spent(fractions[k - 1], alpha), abs=2e-4 * k)


def test_levels_are_the_published_ones(monkeypatch):
    """Five equal looks, alpha spent in proportion to the fraction, two-sided 0.05 (Kim & DeMets 1987)."""
    monkeypatch.setattr(sequential, "RHO", 1.0)
    fractions = [0.2, 0.4, 0.6, 0.8, 1.0]
    bounds = sequential.bounds(fractions, [sequential.alpha_spent(fraction, 0.05) for fraction in fractions])
    assert bounds == pytest.approx([2.58, 2.49, 2.41, 2.34, 2.28], abs=0.006)


def test_one_look_is_the_plain_test():
    assert sequential.levels((5,), 0.05) == pytest.approx((0.05,))


@settings(max_examples=25)
@given(st.integers(3, 40), st.floats(0.001, 0.1))
def test_each_level_is_below_alpha_and_a_larger_alpha_gives_larger_levels(most, alpha):
    seeds = sequential.interim_schedule(most)
    ours, larger = sequential.levels(seeds, alpha), sequential.levels(seeds, alpha * 1.5)
    assert all(0 < level <= alpha + 1e-9 for level in ours)
    assert all(a < b for a, b in zip(ours, larger, strict=True))


PAIRS = [("b", "a"), ("c", "a")]
N_PHOTOS = 200


def runs(shares, n_seeds, seed=0):
    """Correctness per arm and seed: noise of its own for every run, around a share of right answers."""
    generator = np.random.default_rng(seed)
    return {
        (arm, k): generator.random(N_PHOTOS) < share + 0.02 * generator.standard_normal()
        for arm, share in shares.items()
        for k in range(n_seeds)
    }


def raced(there, plan, arms=("a", "b", "c"), seeds=range(50)):
    return racing.race(
        PAIRS, arms, list(seeds), lambda arm, seed: there[arm, seed], lambda arm, seed: (arm, seed) in there, plan
    )


def to_the_end(shares, plan, batch=None):
    """Gives the race the runs that it asks for, so many at a time, until it asks for none."""
    source, there = runs(shares, plan.most), {}
    while (found := raced(there, plan)).needed:
        there |= {run: source[run] for run in found.needed[:batch]}
    return found, there


def test_a_clear_contrast_stops_early_and_its_arm_with_it():
    found, there = to_the_end({"a": 0.5, "b": 0.9, "c": 0.51}, racing.RacePlan(12))
    clear, close = found.last_looks["b", "a"][0], found.last_looks["c", "a"][0]
    assert clear.decision == "better"
    assert clear.low > 0
    assert clear.n < 12
    assert dict(found.stopped)["b"] == clear.n == sum(arm == "b" for arm, _ in there)
    assert close.n > clear.n
    assert close.decision in ("open", "photos")


def test_runs_one_by_one_or_together_give_the_same_race():
    shares, plan = {"a": 0.5, "b": 0.62, "c": 0.55}, racing.RacePlan(15)
    one, there = to_the_end(shares, plan, batch=1)
    other, _ = to_the_end(shares, plan)
    assert one == other
    assert raced(runs(shares, 15), plan) == one  # and runs that it would not have asked for change nothing
    assert set(there) <= set(runs(shares, 15))


def test_worse_is_better_seen_from_the_other_side():
    found, _ = to_the_end({"a": 0.9, "b": 0.5, "c": 0.9}, racing.RacePlan(8))
    assert found.last_looks["b", "a"][0].decision == "worse"
    assert found.last_looks["b", "a"][0].high < 0


def test_arms_that_agree_are_equivalent_within_a_wide_margin_only():
    same = runs({"a": 0.8}, 6)
    there = {(arm, seed): same["a", seed] for arm in "abc" for seed in range(6)}
    assert raced(there, racing.RacePlan(6, margin=0.2)).last_looks["b", "a"][0].decision == "equivalent"
    narrow = raced(there, racing.RacePlan(6, margin=0.001)).last_looks["b", "a"][0]
    assert narrow.decision == "open"
    assert narrow.low < 0 < narrow.high


def test_what_only_photos_can_settle_is_settled():
    """Two arms that differ on every tenth photo, always on the same ones, half of them one way."""
    generator = np.random.default_rng(0)
    a = generator.random(N_PHOTOS) < 0.5
    b = a.copy()
    b[:40] ^= True
    b[:40] = [True] * 20 + [False] * 20
    a[:40] = ~b[:40]
    there = {(arm, seed): {"a": a, "b": b, "c": b}[arm].copy() for arm in "abc" for seed in range(9)}
    for (arm, seed), right in there.items():
        right[100 + seed + ord(arm) % 3] ^= True  # a little noise of the seeds
    assert raced(there, racing.RacePlan(9)).last_looks["b", "a"][0].decision == "photos"


def test_failed_runs_leave_fewer_pairs():
    there = runs({"a": 0.5, "b": 0.9, "c": 0.9}, 6)
    there["b", 0] = there["b", 1] = None
    assert raced(there, racing.RacePlan(6)).looks[0].contrasts[0] == racing.InterimResult(
        "b", "a", 0, None, None, None, pytest.approx(sequential.levels((3, 4, 5, 6), 0.025)[0], rel=2), "open"
    )
    assert raced(there, racing.RacePlan(6)).last_looks["b", "a"][0].n < 6


def test_an_arm_in_no_contrast_gets_the_first_seeds():
    found = raced({}, racing.RacePlan(6), arms=("a", "b", "c", "alone"))
    assert ("alone", 2) in found.needed
    there = runs({"a": 0.5, "b": 0.55, "c": 0.5, "alone": 0.3}, 3)
    assert "alone" not in {arm for arm, _ in raced(there, racing.RacePlan(6), arms=("a", "b", "c", "alone")).needed}


def test_simulated_studies_keep_to_the_promises():
    rows = simulate(n_studies=250, seed=3)
    print(table(rows, 250))
    check(rows, slack=0.03)  # what 250 studies can tell


@pytest.mark.soak
def test_many_simulated_studies_keep_to_the_promises():
    rows = simulate(n_studies=4000, seed=11)
    print(table(rows, 4000))
    check(rows, slack=0.0)


def check(rows, slack):
    by_gap = {row.gap: row for row in rows}
    assert all(row.family_error <= 0.06 + slack for row in rows)
    assert by_gap[1].power >= by_gap[1].fixed_power - 0.02 - slack / 3
    assert by_gap[1].runs <= 0.75 + slack / 3
    assert by_gap[2].runs <= 0.50 + slack / 3
    assert all(row.most_runs <= 1 for row in rows)
    assert 0.85 < by_gap[1].fixed_power < 0.97  # so that the planned gap is one that a study could be planned for
    assert PLANNED == 0.035
