"""Seeds are paired only where they matter, two seeds give no verdict, and equivalence has one error rate."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind

from commongarden import stats
from commongarden.stats.equivalence import equivalence_levels
from commongarden.stats.holm import ALPHA
from commongarden.stats.means import Mean, welch_mean
from commongarden.stats.pairing import are_paired, seeds_p
from grown import grown
from simulations import best, fixed, races
from simulations.studies import FAILING, TYPICAL, WORLDS


def test_the_f_test_of_the_seeds_is_that_of_repeated_measures():
    """Arms and seeds change places: statsmodels tests the columns of what it calls subjects."""
    import pandas

    figures = np.random.default_rng(0).normal(size=(4, 5)) + np.arange(5)
    arms, seeds = np.indices(figures.shape)
    frame = pandas.DataFrame({"x": figures.ravel(), "arm": arms.ravel(), "seed": seeds.ravel()})
    expected = AnovaRM(frame, "x", "arm", within=["seed"]).fit().anova_table["Pr > F"].iloc[0]
    assert seeds_p(figures) == pytest.approx(expected)


def test_seeds_are_paired_where_they_matter_to_all_arms():
    generator = np.random.default_rng(1)
    shared = generator.normal(0, 3, (1, 5)) + generator.normal(0, 1, (4, 5))
    assert are_paired(shared)
    assert not are_paired(shared[:2, :3]), "two arms with three seeds cannot show it"
    apart = generator.normal(size=(2_000, 4, 5))
    assert are_paired(apart).mean() == pytest.approx(0.2, abs=0.03)


def test_without_pairing_the_error_is_welchs_and_photos_are_paired_all_the_same():
    generator = np.random.default_rng(2)
    hard = generator.random(300) < 0.4
    one, two = (np.where(hard, 0.0, generator.random((4, 300)) < share) for share in (0.9, 0.8))
    found = stats.difference_squares(one, two, pair_seeds=False)
    welch = welch_mean(one.mean(axis=1), two.mean(axis=1))
    assert found.mean == pytest.approx(welch.value)
    assert found.seed / (4 * 300) == pytest.approx(welch.error**2)
    paired = stats.difference_squares(one, two)
    assert (found.photo, found.rest) == (paired.photo, paired.rest)
    assert 3 <= found.seed_df <= 6


@pytest.mark.parametrize("n", [3, 5])
def test_the_permutation_test_is_exact(n):
    generator = np.random.default_rng(n)
    one, two = generator.normal(size=n), generator.normal(0.8, size=n)
    pool, seen = np.concatenate([one, two]), abs(one.mean() - two.mean())
    splits = [list(chosen) for chosen in itertools.combinations(range(2 * n), n)]
    found = [abs(pool[chosen].mean() - np.delete(pool, chosen).mean()) >= seen - 1e-12 for chosen in splits]
    assert stats.permutation_p(one, two) == pytest.approx(np.mean(found))
    assert stats.permutation_p(np.arange(n), np.arange(n) + 100) == pytest.approx(stats.least_permutation_p(n))


def test_two_seeds_are_exploratory(tmp_path):
    results = stats.summarize(grown(tmp_path / "two", {"a": (0.5, 0.5), "b": (0.9, 0.9)}))
    (found,) = results.contrasts
    assert (found.outcome, found.adjusted, found.p_holm) == ("two seeds", None, None)
    assert found.difference.low > 0, "the interval is there"
    three = stats.summarize(grown(tmp_path / "three", {"a": (0.5, 0.5, 0.51), "b": (0.9, 0.9, 0.91)}))
    assert three.contrasts[0].outcome == "better"


def test_equivalence_is_judged_by_holms_method():
    generator = np.random.default_rng(3)
    sides = [(generator.normal(0, 1, 12), generator.normal(shift, 1, 12)) for shift in (0.0, 0.1, 0.2, 3.0)]
    means = {}
    for i, (one, two) in enumerate(sides):
        t = reference.ttest_ind(one, two)
        means[i] = Mean(one.mean() - two.mean(), float((one.mean() - two.mean()) / t.statistic), t.df, 12, "")
    p = [ttost_ind(*side, -1.6, 1.6)[0] for side in sides[:3]]
    assert [means[i].not_equivalent_p(1.6) for i in range(3)] == pytest.approx(p)
    levels = equivalence_levels(means, dict.fromkeys(means, ALPHA / 4), 1.6)
    assert set(levels) == {0, 1, 2}, "the fourth is significantly different"
    claimed = [p[i] <= levels[i] for i in range(3)]
    assert claimed == list(multipletests(p, method="holm")[0])
    for i in range(3):
        narrow = means[i].interval(1 - 2 * levels[i])
        assert (narrow.low > -1.6 and narrow.high < 1.6) == claimed[i]


def test_false_claims_are_as_rare_as_said():
    """A few cells of scripts/calibration.py, at the size that a test allows."""
    n = 300
    for world in (WORLDS[0], WORLDS[3]):
        for m in (1, 3):
            assert_rare(fixed.false_differences(world, 3, m, 225, n))
    precise = dataclasses.replace(TYPICAL, photo=1.0, own=0.1, seed=0.02)
    assert_rare(fixed.false_equivalence(precise, 3, 3, 650, 100))
    for plan in races.PLANS.values():
        assert_rare(races.wrong_claims(FAILING[1], plan, 3, 225, 60))


def assert_rare(counts):
    wrong, n = counts
    assert reference.binomtest(wrong, n, 0.06, "greater").pvalue > 0.01


def test_intervals_hold_the_truth_given_that_runs_learned():
    for world in (TYPICAL, FAILING[1]):
        for held, n in fixed.covered(world, 5, 225, 200):
            assert n > 150
            assert reference.binomtest(held, n, 0.935, "less").pvalue > 0.01


def test_probabilities_come_true_under_the_prior_that_they_assume():
    for said, true in (found.T for found in best.said_and_true(best.ASSUMED, 5, 60)):
        assert abs((true - said).sum()) < 3 * np.sqrt((said * (1 - said)).sum())
