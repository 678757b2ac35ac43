"""Groups of photos (patients, plants, videos) as the unit of intervals: against statsmodels, by hand, by coverage."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference
from scipy.special import expit
from statsmodels.stats.contingency_tables import mcnemar

from commongarden import stats
from commongarden.records import Predictions
from commongarden.stats import power, racing
from commongarden.stats.best import probabilities
from commongarden.stats.clusters import clusters
from commongarden.stats.factorial import mixed_means
from commongarden.stats.metrics import METRICS
from commongarden.stats.scores import Sample


def grouped(sizes):
    """Photos in groups of these sizes, shuffled: their paths, and the group of each."""
    paths = [f"{g}/{i}" for g, size in enumerate(sizes) for i in range(size)]
    np.random.default_rng(1).shuffle(paths)
    return np.array(paths), {path: path.split("/")[0] for path in paths}


def table(sizes, seeds=3, start=0):
    """Scores (seeds, photos) of photos that are alike within groups, with those photos' groups."""
    generator = np.random.default_rng(start)
    paths, groups = grouped(sizes)
    own = {g: generator.normal() for g in {*groups.values()}}
    x = np.array([own[groups[path]] for path in paths]) + generator.normal(0, 0.3, (seeds, 1))
    return x + generator.normal(0, 0.5, (seeds, len(paths))), clusters(paths, groups)


def test_groups_of_one_photo_are_photos():
    paths, groups = grouped([1] * 9)
    assert clusters(paths, groups) is None
    assert clusters(paths, {}) is None
    one = stats.clusters.Clusters(np.arange(9), np.arange(9), np.ones(9, dtype=int))
    x = np.random.default_rng(0).normal(size=(4, 9))
    mine, plain = stats.mean_squares(x, one), stats.mean_squares(x)
    for name in ("mean", "seed", "photo", "rest", "n_photos"):
        assert getattr(mine, name) == pytest.approx(getattr(plain, name))
    assert one.df == pytest.approx(8)


def test_groups_of_one_size_are_their_means():
    x, groups = table([5] * 8, seeds=4)
    means = np.array([np.add.reduceat(row[groups.order], groups.starts) / 5 for row in x])
    mine, of_means = stats.crossed_mean(x, groups=groups), stats.crossed_mean(means)
    assert (mine.value, mine.error, mine.df) == pytest.approx((of_means.value, of_means.error, of_means.df))
    assert dataclasses.astuple(mine.components) == pytest.approx(dataclasses.astuple(of_means.components))


def test_the_error_over_photos_is_the_cluster_robust_one_of_statsmodels():
    """Of a regression on a constant alone. Theirs corrects by G / (G - 1), which for groups of one size is CR2."""
    from statsmodels.regression.linear_model import OLS

    paths, names = grouped([6] * 10)
    x = np.random.default_rng(2).normal(size=60) + np.array([int(names[path]) for path in paths])
    theirs = OLS(x, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array([int(names[path]) for path in paths])}
    )
    assert clusters(paths, names).variance(x) == pytest.approx(theirs.cov_params()[0, 0])


def test_unequal_groups_by_hand():
    """Sums of what groups of 1, 2 and 3 photos miss the mean of 3 by: -3, -2, 5; CR2 divides their squares by 5/6, 4/6
    and 3/6."""
    x, paths = np.array([0.0, 1, 3, 4, 4, 6]), np.array(["a", "b1", "b2", "c1", "c2", "c3"])
    groups = clusters(paths, {path: path[0] for path in paths})
    assert groups.variance(x) == pytest.approx((9 / (5 / 6) + 4 / (4 / 6) + 25 / (3 / 6)) / 36)


@pytest.mark.parametrize(
    ("sizes", "least", "most"), [([7] * 12, 11, 11), ([50, 50, *[1] * 100], 1, 3), ([99, 1], 1, 1)]
)
def test_a_few_large_groups_give_few_degrees_of_freedom(sizes, least, most):
    paths, groups = grouped(sizes)
    found = clusters(paths, groups)
    assert least - 1e-6 <= found.df <= most + 1e-6
    n, total = np.array(sizes, dtype=float), sum(sizes)  # the same with whole matrices
    matrix = (np.eye(len(n)) - np.outer(n, np.ones(len(n))) / total).T @ np.diag(1 / (1 - n / total))
    matrix = matrix @ (np.eye(len(n)) - np.outer(n, np.ones(len(n))) / total) @ np.diag(n**2)
    assert found.df == pytest.approx(np.trace(matrix) ** 2 / np.trace(matrix @ matrix))


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=9), seeds=st.integers(2, 4), start=st.integers(0, 99))
def test_the_figure_is_the_mean_over_photos_whatever_the_groups(sizes, seeds, start):
    x, groups = table(sizes, seeds, start)
    found = stats.crossed_mean(x, groups=groups)
    assert found.value == pytest.approx(x.mean())
    assert found.error >= np.std(x.mean(axis=1), ddof=1) / np.sqrt(seeds) - 1e-9
    least = seeds - 1 if groups is None else min(seeds - 1, groups.df)
    assert found.df >= least - 1e-9


def both(generator, n, *, sizes, seeds, group, photo, seed, levels=(0.8, 0.8)):
    """Correctness (n, seeds, photos) of two arms on photos that are alike within groups."""
    paths, names = grouped(sizes)
    place = np.array([int(names[path]) for path in paths])
    sides = []
    for level in levels:
        logits = level + generator.normal(0, group, (n, 1, len(sizes)))[..., place]
        logits = logits + generator.normal(0, photo, (n, 1, len(place))) + generator.normal(0, seed, (n, seeds, 1))
        sides.append(generator.random((n, seeds, len(place))) < expit(logits))
    return *sides, clusters(paths, names)


def correct(generator, n, **kind):
    """Their differences."""
    one, two, groups = both(generator, n, **kind)
    return one.astype(float) - two, groups


def coverage(n, start=5, **kind):
    """The shares of 95 % intervals that hold the true difference of 0: by group, and with photos taken as independent;
    and the correlation of two photos of a group, in one seed."""
    generator, held, naive, alike = np.random.default_rng(start), 0, 0, []
    for _ in range(n // 100):
        x, groups = correct(generator, 100, **kind)
        for found, by_group in ((stats.mean_squares(x, groups), True), (stats.mean_squares(x), False)):
            half = reference.t.ppf(0.975, found.df()) * found.error()
            inside = int((np.abs(found.mean) <= half).sum())
            held, naive = held + inside * by_group, naive + inside * (not by_group)
        pairs = x[:, 0, groups.order], groups.starts[groups.sizes > 1]
        first, second = pairs[0][:, pairs[1]], pairs[0][:, pairs[1] + 1]
        alike.append(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return held / n, naive / n, float(np.mean(alike))


CLUSTERED = {"sizes": [10] * 40, "group": 2.6, "photo": 0.4, "seed": 0.1}


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_of_clustered_photos_cover_what_they_say(seeds):
    """40 groups of 10 photos, correlated by a half within groups; photos as the unit miss far too often."""
    covered, naive, alike = coverage(1_500, seeds=seeds, **CLUSTERED)
    print(f"{seeds} seeds: {covered:.1%} (photos as the unit {naive:.1%}), correlation {alike:.2f}")
    assert 0.4 <= alike <= 0.65
    assert covered >= 0.93
    assert naive < 0.7


@pytest.mark.soak
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    "kind",
    [
        CLUSTERED,
        {"sizes": [10] * 40, "group": 1.0, "photo": 1.0, "seed": 0.3},
        {"sizes": [5] * 12, "group": 2.0, "photo": 0.5, "seed": 0.2},
        {"sizes": [40, 40, 30, 20, *[10] * 6, *[4] * 20], "group": 2.0, "photo": 0.5, "seed": 0.2},
        {"sizes": [1 + i % 9 for i in range(60)], "group": 0.0, "photo": 1.5, "seed": 0.1},
        {"sizes": [*[25] * 4, *[1] * 100], "group": 2.0, "photo": 0.5, "seed": 0.1},
    ],
)
def test_intervals_of_clustered_photos_at_length(kind, seeds):
    covered, naive, alike = coverage(10_000, seeds=seeds, **kind)
    print(f"{kind}, {seeds} seeds: {covered:.1%} (photos as the unit {naive:.1%}), correlation {alike:.2f}")
    assert covered >= 0.93


def predictions(paths, right):
    probabilities = np.where(np.asarray(right)[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    return Predictions(np.asarray(paths), np.zeros(len(paths), dtype=np.int64), probabilities)


@given(right=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_groups_of_one_photo_give_mcnemars_exact_test(right):
    one, two = np.array(right).T
    each = np.arange(len(right))
    groups = stats.clusters.Clusters(each, each, np.ones(len(right), dtype=int))
    paths = [str(i) for i in each]
    found = stats.mcnemar_p([predictions(paths, one)], [predictions(paths, two)], groups)
    cells = [[0, int((one & ~two).sum())], [int((~one & two).sum()), 0]]
    assert found == pytest.approx(float(mcnemar(cells, exact=True).pvalue) if one.tolist() != two.tolist() else 1.0)


def test_a_group_turns_as_a_whole_in_the_paired_test():
    """By hand: groups that differ by 3, 2 and 1 photos, all to one side: 2 of the 8 ways to turn them go as far."""
    paths, names = grouped([3, 2, 1])
    one, two = [predictions(paths, np.full(6, side)) for side in (True, False)]
    assert stats.mcnemar_p([one], [two], clusters(paths, names)) == pytest.approx(2 / 8)
    assert stats.mcnemar_p([one], [two]) == pytest.approx(2 / 64)
    assert stats.mcnemar_p([one], [one], clusters(paths, names)) == 1.0


def test_paired_tests_of_clustered_photos_err_one_time_in_twenty():
    """Photos as the unit err far more often (Durkalski et al. 2003)."""
    generator, by_group, by_photo = np.random.default_rng(3), 0, 0
    for _ in range(5):
        x, groups = correct(generator, 100, sizes=[10] * 40, seeds=1, group=2.6, photo=0.4, seed=0)
        for row in x[:, 0]:
            by_group += stats.superiority._flipped_p(groups.sums(row.astype(int))) <= 0.05
            by_photo += stats.superiority._flipped_p(row.astype(int)) <= 0.05
    print(f"{by_group / 500:.1%} by group, {by_photo / 500:.1%} by photo")
    assert by_group / 500 <= 0.075
    assert by_photo / 500 > 0.2


def samples(sizes, right):
    paths, groups = grouped(sizes)
    return tuple(Sample(tuple(predictions(paths, row) for row in side), 100, groups) for side in right)


def test_contrasts_standings_and_mixed_models_use_groups():
    generator = np.random.default_rng(0)
    *sides, groups = both(generator, 1, seeds=3, levels=(1.2, 0.8), **CLUSTERED)
    one, two = samples([10] * 40, [side[0] for side in sides])
    x = sides[0].astype(float) - sides[1]
    apart = [dataclasses.replace(side, groups={}) for side in (one, two)]
    metric = METRICS["accuracy"]
    mine, naive = stats.mean_difference(metric, one, two), stats.mean_difference(metric, *apart)
    assert mine.value == pytest.approx(naive.value)
    assert mine.error > naive.error
    assert "groups" in mine.interval().method
    tested = {"one": Sample(one.runs, 100, one.groups), "two": two}
    lead, certain = probabilities(metric, tested), probabilities(metric, {"one": apart[0], "two": apart[1]})
    assert max(lead.values()) < max(certain.values())
    values = {("one", seed): 0.5 + seed / 100 for seed in range(3)} | {
        ("two", seed): 0.4 + seed / 90 for seed in (0, 1)
    }
    photos = {"one": x[0].mean(axis=0), "two": np.zeros(400)}
    _kind, (by_group,) = mixed_means(values, [{"one": 1.0, "two": -1.0}], photos, units=groups)
    _kind, (by_photo,) = mixed_means(values, [{"one": 1.0, "two": -1.0}], photos)
    assert by_group.error > by_photo.error
    evidence = racing.evidence_of(*(side[0].astype(float) for side in sides), groups)
    assert evidence.error == pytest.approx(stats.crossed_mean(x[0], groups=groups).error)


def test_one_group_of_test_photos_has_no_interval():
    one, two = samples([20], ([[True] * 20] * 3, [[False] * 20] * 3))
    found = stats.mean_difference(METRICS["accuracy"], one, two)
    assert (found.value, found.error, found.method) == (1.0, None, "one test group: no interval")
    assert stats.outcome(found.interval(), None, False) == "one group"
    assert probabilities(METRICS["accuracy"], {"one": one, "two": two}) is None


def test_arms_that_agree_everywhere_are_no_certainty():
    """As if one group of 20 told them apart; where photos of a group differ, as if one photo did."""
    paths, names = grouped([5] * 20)
    groups = clusters(paths, names)
    nothing = np.zeros((3, 100))
    assert stats.crossed_difference(nothing, groups=groups).floor == (1 / 20, groups.df)
    one = np.zeros((3, 100))
    one[0, 7] = 1
    assert stats.crossed_difference(one, groups=groups).floor == (1 / 100, groups.df)
    assert racing.evidence_of(nothing, nothing, groups).floor == (1 / 20, groups.df)


def test_a_remedy_counts_groups():
    """As many more groups of the same size as it takes; checked by the power that so many have."""
    x, groups = correct(np.random.default_rng(1), 1, sizes=[10] * 15, seeds=5, group=2.6, photo=0.4, seed=0.05)
    mean = stats.crossed_mean(x[0], groups=groups)
    found = stats.remedy(mean, 0.02, 0.05, 150, None, units=groups)
    assert found.settle is None
    assert (found.n_photos, found.n_groups) == (150, 15)
    assert found.photos == 10 * found.groups
    error, df = power.expected(mean.components, found.photos_seeds, found.groups, 1.0)
    assert power.power(0.02, error, df, 0.05) >= power.POWER
    assert found.groups > 100
