"""Intervals over seeds crossed with photos, and over splits: against statsmodels, by hand, and by what they cover."""

import warnings

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as reference
from scipy.special import expit
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from commongarden import stats
from correctness import MIXES, Mix

TABLE = np.array([[1.0, 0, -1, 0, 1, 0, 0], [1, 1, 0, 0, 1, 0, -1], [0, 1, 0, 1, 1, -1, 0]])
tables = arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(2, 12)), elements=st.sampled_from([-1.0, 0.0, 1.0])
)


def test_mean_squares_are_those_of_statsmodels():
    seeds, photos = np.indices(TABLE.shape)
    frame = pandas.DataFrame({"x": TABLE.ravel(), "seed": seeds.ravel(), "photo": photos.ravel()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels' own, on pandas
        anova = anova_lm(ols("x ~ C(seed) + C(photo)", frame).fit())
    found = stats.mean_squares(TABLE)
    assert [found.seed, found.photo, found.rest] == pytest.approx(list(anova["mean_sq"]))


def test_the_interval_by_hand():
    """Mean squares 4 (seeds, 2 df), 3 (photos, 9 df), 1 (rest, 18 df): variance (4 + 3 - 1) / 30 = 0.2. In
    Satterthwaite's formula the seeds' counts (2 + 4) / 2 times: df (12 + 3 - 1)^2 / (144/2 + 9/9 + 1/18)."""
    found = stats.crossed.MeanSquares(0.0, 4.0, 3.0, 1.0, 3, 10)
    assert found.error() ** 2 == pytest.approx(0.2)
    assert found.df() == pytest.approx(196 / (144 / 2 + 9 / 9 + 1 / 18))


def test_many_seeds_give_satterthwaites_own():
    """With 500 seeds caution is worth 0.8 %."""
    seed, photo, rest, s, p = 4.0, 3.0, 1.0, 499, 299
    satterthwaite = (seed + photo - rest) ** 2 / (seed**2 / s + photo**2 / p + rest**2 / (s * p))
    assert stats.crossed.MeanSquares(0.0, seed, photo, rest, s + 1, p + 1).df() == pytest.approx(
        satterthwaite, rel=0.01
    )


def test_an_interval_is_students_with_that_error_and_its_test_agrees():
    mean = stats.crossed_mean(TABLE)
    low, high = reference.t.interval(0.95, mean.df, loc=TABLE.mean(), scale=mean.error)
    assert (mean.interval().low, mean.interval().high) == (pytest.approx(low), pytest.approx(high))
    at_p = mean.interval(1 - mean.p)
    assert min(abs(at_p.low), abs(at_p.high)) == pytest.approx(0, abs=1e-9)


def test_many_tables_at_once_are_each_by_itself():
    many = MIXES["both"].differences(np.random.default_rng(0), 6, 4, 30)
    together = stats.mean_squares(many)
    for i, table in enumerate(many):
        alone = stats.crossed_mean(table)
        assert (alone.error, alone.df) == (pytest.approx(together.error()[i]), pytest.approx(together.df()[i]))


@given(table=tables, seed=st.integers(0, 99))
def test_neither_the_order_of_seeds_nor_of_photos_matters_and_arms_change_places(table, seed):
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(generator.permutation(table, axis=0), axis=1)
    found, other = (stats.crossed_difference(one).interval() for one in (table, shuffled))
    assert (other.low, other.high) == (pytest.approx(found.low), pytest.approx(found.high))
    turned = stats.crossed_difference(-table).interval()
    assert (turned.low, turned.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@given(table=tables)
def test_an_error_is_never_less_than_that_over_seeds_alone(table):
    mean = stats.crossed_mean(table)
    assert mean.error >= np.std(table.mean(axis=1), ddof=1) / np.sqrt(len(table)) - 1e-12
    assert mean.df >= len(table) - 1
    parts = mean.components
    assert min(parts.seed, parts.photo, parts.rest) >= 0


def test_what_cannot_be_told_has_no_interval():
    one_seed, one_photo = stats.crossed_difference(TABLE[:1]), stats.crossed_difference(TABLE[:, :1])
    for found in (one_seed, one_photo):
        assert (found.interval().low, found.interval().high) == (None, None)
        assert (found.components, found.df) == (None, None)
    assert one_seed.method == "one run: no interval"
    assert one_photo.method == "one test photo: no interval"
    with pytest.raises(ValueError, match="found the shape"):
        stats.crossed_mean([])


def test_arms_that_agree_everywhere_are_no_certainty():
    """As if one photo of 200 told them apart: its weight is the standard error, known as well as 200 photos are."""
    found = stats.crossed_difference(np.zeros((3, 200))).interval()
    half = reference.t.ppf(0.975, 199) / 200
    assert (found.value, found.low, found.high) == (0.0, pytest.approx(-half), pytest.approx(half))
    assert stats.crossed_difference(np.ones((3, 200))).interval().high == 1.0


def test_components_are_found_again():
    generator = np.random.default_rng(1)
    seed, photo = generator.normal(0, 0.3, (400, 1)), generator.normal(0, 0.5, (1, 400))
    parts = stats.crossed_mean(seed + photo + generator.normal(0, 0.8, (400, 400))).components
    assert (parts.seed, parts.photo, parts.rest) == pytest.approx((0.3, 0.5, 0.8), rel=0.1)


def coverage(mix, n, *, seeds, photos, start):
    """The share of 95 % intervals that hold the true difference, over n studies; and that of intervals over seeds
    alone."""
    truth, generator, held, naive = mix.truth(), np.random.default_rng(start), 0, 0
    for _ in range(n // 250):
        tables = mix.differences(generator, 250, seeds, photos)
        found = stats.mean_squares(tables)
        half = reference.t.ppf(0.975, found.df()) * found.error()
        held += int((np.abs(found.mean - truth) <= half).sum())
        alone = reference.t.ppf(0.975, seeds - 1) * tables.mean(axis=2).std(axis=1, ddof=1) / np.sqrt(seeds)
        naive += int((np.abs(found.mean - truth) <= alone).sum())
    return held / n, naive / n


@pytest.mark.parametrize("mix", MIXES)
def test_intervals_cover_what_they_say(mix):
    """4,000 studies of 5 seeds and 650 photos. Intervals over seeds alone miss too often where photos differ."""
    covered, over_seeds = coverage(MIXES[mix], 4_000, seeds=5, photos=650, start=7)
    print(f"{mix}: {covered:.1%} (over seeds alone {over_seeds:.1%})")
    assert 0.93 <= covered <= 0.97
    if mix == "photo noise":
        assert over_seeds < 0.88


def null_studies(generator, n, *, arms, taste, seed):
    """Correctness (arms, n, 5, 300) of arms that do not differ but by their seeds and tastes."""
    difficulty = generator.normal(0.8, 1.0, (1, n, 1, 300))
    tastes = generator.normal(0, taste, (arms, n, 1, 300))
    seeds = generator.normal(0, seed, (arms, n, 5, 1))
    return (generator.random((arms, n, 5, 300)) < expit(difficulty + tastes + seeds)).astype(float)


@pytest.mark.parametrize(("taste", "seed"), [(1.0, 0.0), (0.8, 0.2), (0.2, 0.4)])
def test_a_study_without_a_true_difference_claims_one_in_twenty_at_most(taste, seed):
    """1,500 studies of four equal arms, three contrasts with the first, each judged at Holm's level."""
    generator, claimed = np.random.default_rng(17), 0
    for _ in range(6):
        first, *others = null_studies(generator, 250, arms=4, taste=taste, seed=seed)
        found = [stats.mean_squares(first - other) for other in others]
        p = np.array([2 * reference.t.sf(np.abs(one.mean) / one.error(), one.df()) for one in found])
        for column in p.T:
            levels = stats.holm_levels(column.tolist())
            claimed += any(value <= level for value, level in zip(column, levels, strict=True))
    assert claimed / 1500 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1500)


@pytest.mark.soak
@pytest.mark.parametrize(("taste", "seed"), [(1.0, 0.0), (0.8, 0.2), (0.2, 0.4)])
def test_one_in_twenty_at_most_at_length(taste, seed):
    generator, claimed = np.random.default_rng(23), 0
    for _ in range(60):
        first, *others = null_studies(generator, 250, arms=4, taste=taste, seed=seed)
        found = [stats.mean_squares(first - other) for other in others]
        p = np.array([2 * reference.t.sf(np.abs(one.mean) / one.error(), one.df()) for one in found])
        claimed += int((p.min(axis=0) <= 0.05 / 3).sum())  # Holm claims anything where Bonferroni does
    print(f"taste {taste}, seed {seed}: {claimed / 15_000:.1%}")
    assert claimed / 15_000 <= 0.06


def test_arms_a_margin_apart_are_seldom_called_equivalent():
    """A true difference of exactly the margin: inside it by the 90 % interval one time in twenty at most."""
    mix = Mix(1.0, 0.3, 0.02, (1.0, 0.9))
    generator, called = np.random.default_rng(19), 0
    margin = mix.truth()
    for _ in range(8):
        found = stats.mean_squares(mix.differences(generator, 250, 5, 2000))
        half = reference.t.ppf(0.95, found.df()) * found.error()
        called += int(((found.mean - half > -margin) & (found.mean + half < margin)).sum())
    assert 0.02 <= called / 2000 <= 0.06


@pytest.mark.soak
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize(("seeds", "photos"), [(5, 650), (10, 650), (5, 225), (3, 650)])
def test_intervals_cover_what_they_say_at_length(mix, seeds, photos):
    covered, over_seeds = coverage(MIXES[mix], 40_000, seeds=seeds, photos=photos, start=11)
    print(f"{mix}, {seeds} seeds, {photos} photos: {covered:.1%} (over seeds alone {over_seeds:.1%})")
    assert 0.93 <= covered <= 0.97


@pytest.mark.soak
@pytest.mark.parametrize("mix", MIXES)
def test_two_seeds_never_promise_too_much(mix):
    """With two seeds an interval may be wider than it need be, not narrower."""
    covered, _ = coverage(MIXES[mix], 40_000, seeds=2, photos=650, start=13)
    assert 0.93 <= covered <= 0.995


def test_resampled_intervals_are_students_with_a_wider_error():
    """By hand: differences 1, 3, 2 points; standard deviation 1, variance of the mean 1/3 + 100/400."""
    ours = stats.resampled_interval([0.01, 0.03, 0.02], n_train=400, n_test=100)
    low, high = reference.t.interval(0.95, 2, loc=0.02, scale=0.01 * np.sqrt(1 / 3 + 100 / 400))
    assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))
    assert stats.resampled_interval([0.01], 400, 100).low is None
    alike = stats.resampled_interval([0.03, 0.03, 0.03], 400, 100)
    assert alike.low < 0.03 < alike.high
