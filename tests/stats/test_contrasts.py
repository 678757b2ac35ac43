"""Tests, corrections, probabilities, metrics and remedies, each against a library or by hand."""

import gc
import math
import warnings

import numpy as np
import pandas
import pytest
from autorank import autorank
from hypothesis import given
from hypothesis import strategies as st
from rliable import metrics as rliable
from scipy import stats as reference
from scipy.special import expit
from sklearn import metrics
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep

from commongarden import report, stats
from commongarden.records import Predictions
from commongarden.report import predictions_csv
from commongarden.stats import METRICS, Components, Mean, Sample, best, sensitivity
from commongarden.stats.best import probabilities
from commongarden.stats.clusters import clusters
from commongarden.stats.contrasts import contrast_results
from commongarden.stats.cross_validated import folded_mean
from commongarden.stats.power import POWER, expected, least, power
from commongarden.study import Arm, Contrast, Study
from commongarden.study.declared import METRICS as NAMES
from correctness import MIXES
from grown import grown

ps = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.fixture(autouse=True, scope="module")
def _no_collection():
    """statsmodels collects garbage in every correction, which takes longer than all else here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        yield


def said(labels, probabilities, photos=None):
    """What a run said; probabilities (n, classes)."""
    labels = np.asarray(labels)
    names = np.array([f"{i:04}" for i in range(len(labels))] if photos is None else photos)
    return Predictions(names, labels, np.asarray(probabilities, dtype=np.float32))


def right_or_wrong(correct, labels=None):
    """What a run said of two classes that was right where `correct` says so."""
    correct = np.asarray(correct, dtype=bool)
    labels = np.arange(len(correct)) % 2 if labels is None else np.asarray(labels)
    guesses = np.where(correct, labels, 1 - labels)
    return said(labels, 0.8 * np.eye(2)[guesses] + 0.1)


# Holm


@given(p=ps)
def test_an_adjusted_interval_excludes_0_exactly_where_holm_rejects(p):
    levels = stats.holm_levels(p)
    assert [value <= level for value, level in zip(p, levels, strict=True)] == list(multipletests(p, 0.05, "holm")[0])
    assert stats.holm_p(p) == pytest.approx(list(multipletests(p, method="holm")[1]))
    assert all(0.05 / len(p) <= level <= 0.05 for level in levels)


@given(values=st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2)), min_size=1, max_size=8), df=st.floats(4, 600))
def test_verdicts_are_holms(values, df):
    """Through means, intervals and outcomes: better or worse exactly where statsmodels rejects."""
    means = [Mean(value, error, df, 5, "") for value, error in values]
    p = [mean.p for mean in means]
    rejected = multipletests(p, 0.05, "holm")[0]
    for mean, level, rejects, value in zip(means, stats.holm_levels(p), rejected, p, strict=True):
        if min(abs(value - level), abs(value - 0.05)) > 1e-9:
            outcome = stats.outcome(mean.interval(), mean.interval(1 - level), False)
            assert (outcome in ("better", "worse")) == rejects


def test_levels_by_hand():
    """p .001 at .05/3, .03 at .05/2 and not under it, so .04 at .05/2 too."""
    assert stats.holm_levels([0.03, 0.001, 0.04]) == [0.025, 0.05 / 3, 0.025]
    assert stats.holm_levels([0.2]) == [0.05]
    assert stats.holm_levels([]) == stats.holm_p([]) == []


# Sign flips


@given(values=st.lists(st.integers(-20, 20), min_size=1, max_size=8))
def test_a_sign_flip_p_counts_all_flips(values):
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(values))).reshape(len(values), -1).T
    sums = signs @ np.array(values)
    one_sided = [np.mean(sums >= sum(values)), np.mean(sums <= sum(values))]
    p = stats.signflip_p([float(value) for value in values])
    assert p == pytest.approx(min(1.0, 2 * min(one_sided)))
    assert p >= stats.least_p(len(values)) - 1e-12


def test_five_pairs_cannot_go_under_a_sixteenth():
    assert stats.signflip_p([0.01, 0.02, 0.03, 0.04, 0.05]) == stats.least_p(5) == 0.0625
    assert stats.signflip_p([0.01] * 6) == stats.least_p(6) == 0.03125
    assert (stats.pairs_needed(), stats.least_p(1)) == (6, 1.0)


@given(level=st.floats(1e-6, 0.5))
def test_so_many_pairs_are_needed_and_no_fewer(level):
    n = stats.pairs_needed(level)
    assert stats.least_p(n) < level <= stats.least_p(n - 1)


def test_many_pairs_are_flipped_at_random_and_the_same_way_each_time():
    values = np.random.default_rng(0).normal(0.5, 1, 25).tolist()
    p = stats.signflip_p(values)
    assert p == stats.signflip_p(values)
    assert p == pytest.approx(reference.ttest_1samp(values, 0).pvalue, abs=0.01)


# Which runs beat which, and McNemar

runs = st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=2, max_size=6)


@given(one=runs, two=runs)
def test_the_probability_is_rliables(one, two):
    ours = stats.probability_better(one, two)
    assert ours.value == pytest.approx(
        rliable.probability_of_improvement(np.array(one)[:, None], np.array(two)[:, None])
    )
    assert stats.probability_better(two, one).value == pytest.approx(1 - ours.value)
    assert ours.low is None or 0 <= ours.low <= ours.value <= ours.high <= 1


def test_its_interval_is_brunner_and_munzels():
    one, two = [0.5, 0.61, 0.63, 0.55, 0.62], [0.55, 0.57, 0.56, 0.6, 0.58]
    low, high = rank_compare_2indep(one, two).conf_int()
    ours = stats.probability_better(one, two)
    assert (ours.low, ours.high) == (pytest.approx(max(low, 0)), pytest.approx(min(high, 1)))
    apart = stats.probability_better([0.8, 0.9], [0.1, 0.2])
    assert (apart.value, apart.low) == (1.0, None)


def test_mcnemar_counts_a_photo_once_however_many_runs():
    """By hand: 20 photos, on which only the first arm is right about 6 and only the second about 1; two-sided binomial
    of 1 in 7."""
    one, two = np.ones(20), np.ones(20)
    one[0] = two[1:7] = 0
    p = reference.binomtest(1, 7).pvalue
    assert stats.mcnemar_p([right_or_wrong(one)], [right_or_wrong(two)]) == pytest.approx(p)
    assert stats.mcnemar_p([right_or_wrong(one)] * 5, [right_or_wrong(two)] * 5) == pytest.approx(p)
    assert stats.mcnemar_p([right_or_wrong(one)], [right_or_wrong(one)]) == 1.0


# The same numbers in autorank


def test_seeds_alone_give_autoranks_test_and_effect():
    """Without photo noise (n_test 0) an interval over splits is a paired t test, which autorank takes for two normal
    populations; its effect size against the best is Cohen's d."""
    one, two = np.array([0.60, 0.58, 0.63, 0.61, 0.62]), np.array([0.55, 0.57, 0.56, 0.58, 0.59])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = autorank(pandas.DataFrame({"one": one, "two": two}), alpha=0.05, force_mode="parametric")
    mean = stats.resampled_mean((one - two).tolist(), n_train=1, n_test=0)
    assert found.pvalue == pytest.approx(mean.p)
    assert (found.pvalue < 0.05) == (mean.interval().low > 0)
    assert found.rankdf.loc["one", "mean"] - found.rankdf.loc["two", "mean"] == pytest.approx(mean.value)


# Metrics

two_classes = st.lists(st.tuples(st.integers(0, 2), st.tuples(*[st.floats(0.01, 1)] * 3)), min_size=4, max_size=40)


@given(rows=two_classes)
def test_metrics_are_scikit_learns_and_means_over_photos(rows):
    labels = [label for label, _ in rows]
    shares = np.array([share for _, share in rows])
    run = said(labels, shares / shares.sum(axis=1, keepdims=True))
    guesses = run.probabilities.argmax(axis=1)
    assert METRICS["accuracy"].whole(run) == pytest.approx(metrics.accuracy_score(labels, guesses))
    recalls = metrics.recall_score(labels, guesses, labels=sorted(set(labels)), average=None, zero_division=0)
    assert METRICS["balanced_accuracy"].whole(run) == pytest.approx(recalls.mean())
    given_probabilities = run.probabilities.astype(np.float64)
    given_probabilities /= given_probabilities.sum(axis=1, keepdims=True)
    loss = metrics.log_loss(labels, given_probabilities, labels=[0, 1, 2])
    assert METRICS["log_loss"].whole(run) == pytest.approx(loss, rel=1e-5)
    for metric in METRICS.values():
        if metric.by_photo is not None:
            assert metric.by_photo(run).mean() == pytest.approx(metric.whole(run))


def test_calibration_error_by_hand():
    """Four photos: confidence .9 (right), .9 (wrong), .6 (right), .6 (right). Gaps |.5 - .9| over half of them and
    |1 - .6| over the other half: .4."""
    run = said([0, 1, 0, 0], [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert stats.calibration_error(run) == pytest.approx(0.4)
    sure = said([0, 1], [[1.0, 0.0], [0.0, 1.0]])
    assert stats.calibration_error(sure) == 0.0
    # two photos in one bin: gaps of opposite sign cancel there, as the definition has it
    same_bin = said([0, 1], [[0.5, 0.49], [0.5, 0.49]])
    assert stats.calibration_error(same_bin) == pytest.approx(0.0)


def test_the_study_knows_every_metric():
    assert tuple(METRICS) == NAMES


def test_unequal_classes_are_noticed():
    assert stats.imbalance({"a": 100, "b": 50}) is None
    assert stats.imbalance({"a": 100}) is None
    found = stats.imbalance({"a": 30, "b": 100, "c": 60})
    assert (found.commonest, found.n_commonest, found.rarest, found.n_rarest) == ("b", 100, "a", 30)


# Which design fits


def test_shared_photos_are_crossed_and_others_resampled():
    generator = np.random.default_rng(0)
    table = generator.integers(0, 2, (3, 40))
    shared = Sample(tuple(right_or_wrong(row) for row in table), 200)
    mean = stats.mean_score(METRICS["accuracy"], shared)
    assert mean.error == pytest.approx(stats.crossed_mean(table).error)
    own = tuple(  # each misses one photo of its own that the next one tests too
        said(run.labels, run.probabilities, [f"{j + 39 * i}" for j in range(40)]) for i, run in enumerate(shared.runs)
    )
    mean = stats.mean_score(METRICS["accuracy"], Sample(own, 200))
    by_seed = table.mean(axis=1)
    assert mean.error == pytest.approx(np.std(by_seed, ddof=1) * math.sqrt(1 / 3 + 40 / 200))
    assert mean.components.photo is None
    seeds_only = stats.mean_score(METRICS["calibration_error"], shared)
    values = [stats.calibration_error(run) for run in shared.runs]
    assert seeds_only.interval().low == pytest.approx(
        max(reference.t.interval(0.95, 2, np.mean(values), reference.sem(values))[0], 0)
    )


def over_splits(folds):
    """Two arms with five seeds of 40 test photos each: of their own (folds) or drawn anew from 90."""
    generator, by_arm = np.random.default_rng(4), {"a": {}, "b": {}}
    for seed in range(5):
        names = range(40 * seed, 40 * seed + 40) if folds else generator.choice(90, 40, replace=False)
        for arm, share in (("a", 0.9), ("b", 0.5)):
            run = right_or_wrong(generator.random(40) < share)
            by_arm[arm][seed] = said(run.labels, run.probabilities, [f"{name:03}" for name in names])
    study = Study("x", "d", {"a": Arm("plain_flower"), "b": Arm("residual_flower")}, seeds=5)
    (found,) = contrast_results(study, by_arm, 160, {}, 2)
    correct = METRICS["accuracy"].by_photo
    return found, np.stack([correct(by_arm["b"][seed]) - correct(by_arm["a"][seed]) for seed in range(5)])


def test_a_contrast_over_splits_is_corrected_and_not_pooled():
    found, table = over_splits(folds=False)
    mean = stats.resampled_interval(list(table.mean(axis=1)), 160, 40)
    assert (found.difference.low, found.difference.high) == (pytest.approx(mean.low), pytest.approx(mean.high))
    assert found.outcome == "worse"
    assert found.p_mcnemar is None
    assert found.components.photo is None
    assert found.probability.value == 0.0


def test_a_contrast_over_folds_has_the_photos_for_its_least_error():
    """By scipy's own mean squares, and Satterthwaite's degrees of freedom of the two parts."""
    found, table = over_splits(folds=True)
    within = np.mean([reference.tvar(fold) for fold in table]) / 40
    between = max(reference.tvar(table.mean(axis=1)), within)
    variance = between + within / 2
    df = variance**2 / (between**2 / 4 + (within / 2) ** 2 / (5 * 39))
    low, high = reference.t.interval(0.95, df, table.mean(), math.sqrt(variance / 5))
    assert (found.difference.low, found.difference.high) == (pytest.approx(low), pytest.approx(high))
    assert found.outcome == "worse"
    assert found.p_mcnemar is not None


def test_folds_of_groups_are_at_least_as_uncertain_as_their_groups():
    """Photos in pairs that agree: as half as many photos, which doubles what the photos say of the variance."""
    generator = np.random.default_rng(1)
    tables = [generator.integers(0, 2, 20).astype(float) for _ in range(4)]
    alone = folded_mean(tables, [None] * 4)
    paths = np.array([f"{i:02}" for i in range(40)])
    own = clusters(paths, {path: path[:1] + str(int(path[1]) // 2) for path in paths})
    twice = folded_mean([np.repeat(table, 2) for table in tables], [own] * 4)
    assert (twice.value, twice.error) == (pytest.approx(alone.value), pytest.approx(alone.error))
    assert twice.df == pytest.approx(alone.df)
    assert folded_mean([table[:1] for table in tables], [None] * 4) is None


# What would settle it


@given(
    difference=st.floats(0.005, 0.1), error=st.floats(0.002, 0.1), df=st.floats(2, 500),
    alpha=st.sampled_from([0.05, 0.025, 0.01]),
)  # fmt: skip
def test_power_is_the_noncentral_ts(difference, error, df, alpha):
    effect = difference / error
    edge = reference.t.ppf(1 - alpha / 2, df)
    assert power(difference, error, df, alpha) == pytest.approx(reference.nct.sf(edge, df, effect), abs=1e-6)


def mean_of(seed, photo, rest, seeds=5, photos=652, value=0.0):
    parts = Components(seed, photo, rest)
    error, df = expected(parts, seeds, photos)
    return Mean(value, error, df, seeds, "", parts)


def test_seeds_settle_where_seeds_carry_the_noise():
    found = stats.remedy(mean_of(0.02, 0.05, 0.3), 0.01, 0.05, 652, seconds=120.0)
    assert found.photos is None
    assert found.settle.runs == 2 * (found.settle.seeds - 5)
    assert found.settle.minutes == pytest.approx((found.settle.seeds - 5) * 2)
    error, df = expected(Components(0.02, 0.05, 0.3), found.settle.seeds, 652)
    assert power(0.01, error, df, 0.05) >= POWER
    error, df = expected(Components(0.02, 0.05, 0.3), found.settle.seeds - 1, 652)
    assert power(0.01, error, df, 0.05) < POWER


def test_photos_settle_where_photos_carry_the_noise():
    """With a standard deviation of 0.35 between photos 652 of them leave a standard error of 1.4 points for ever."""
    found = stats.remedy(mean_of(0.005, 0.35, 0.3), 0.01, 0.05, 652, seconds=None)
    assert found.settle is None
    assert found.photos > 652
    parts = Components(0.005, 0.35, 0.3)
    error, df = expected(parts, found.photos_seeds, found.photos)
    assert power(0.01, error, df, 0.05) >= POWER
    # without seed noise by hand: (1.96 + 0.84)^2 (photo^2 + rest^2 / seeds) / margin^2
    found = stats.remedy(mean_of(0.0, 0.35, 0.3), 0.01, 0.05, 652, seconds=None)
    assert found.photos == pytest.approx((1.96 + 0.84) ** 2 * (0.35**2 + 0.3**2 / 5) / 0.01**2, rel=0.04)


def test_a_difference_as_large_as_the_one_seen_is_cheaper_to_show():
    found = stats.remedy(mean_of(0.02, 0.2, 0.3, value=0.03), 0.01, 0.05, 652, seconds=60.0)
    assert found.settle is None
    assert 5 <= found.show.seeds < 100
    assert stats.remedy(mean_of(0.02, 0.05, 0.3, value=0.004), 0.01, 0.05, 652, 60.0).show is None


def test_splits_cannot_be_settled_below_what_they_share():
    parts = Mean(0.0, 0.01, 4, 5, "", Components(0.02))
    found = stats.remedy(parts, 0.01, 0.05, 100, None, floor=0.25)
    assert (found.settle, found.photos) == (None, None)
    assert stats.remedy(Mean(0.0, 0.01, 4, 5, "", Components(0.01)), 0.01, 0.05, 100, None).settle is not None


@given(threshold=st.integers(1, 5000), start=st.integers(1, 50))
def test_the_least_number_is_found(threshold, start):
    assert least(lambda n: n >= threshold, start, 10_000) == max(threshold, start)
    assert least(lambda n: n >= threshold, start, threshold - 1) in (None, start)


def test_a_remedy_does_what_it_says():
    """4,000 simulated studies of the size that a pilot's remedy asks for find a difference of the margin in 80 % of
    cases: noise as the pilot had it, 4 points between seeds and photos."""
    generator = np.random.default_rng(3)
    seed, photo, rest, photos = 0.02, 0.05, 0.3, 400
    found = stats.remedy(mean_of(seed, photo, rest, photos=photos), 0.02, 0.05, photos, None)
    n = found.settle.seeds
    hits = 0
    for _ in range(16):
        tables = (
            0.02
            + generator.normal(0, seed, (250, n, 1))
            + generator.normal(0, photo, (250, 1, photos))
            + generator.normal(0, rest, (250, n, photos))
        )
        squares = stats.mean_squares(tables)
        hits += int((squares.mean / squares.error() > reference.t.ppf(0.975, squares.df())).sum())
    assert hits / 4000 == pytest.approx(POWER, abs=0.03)


@given(
    seed=st.floats(0, 0.2), photo=st.floats(0, 0.6), rest=st.floats(0, 0.7), seeds=st.integers(2, 12),
    photos=st.integers(2, 5000), value=st.floats(-0.5, 0.5), level=st.sampled_from([0.05, 0.0125]),
)  # fmt: skip
def test_every_noise_has_a_remedy_that_holds(seed, photo, rest, seeds, photos, value, level):
    """Whatever the noise: the seeds named are no fewer than there are, and have the power; else photos have it."""
    parts = Components(seed, photo, rest)
    found = stats.remedy(mean_of(seed, photo, rest, seeds, photos, value), 0.01, level, photos, 60.0)
    if found.settle is not None:
        assert found.settle.seeds >= seeds
        assert power(0.01, *expected(parts, found.settle.seeds, photos), level) >= POWER
        assert found.photos is None
    elif found.photos is not None:
        assert found.photos >= photos
        assert power(0.01, *expected(parts, found.photos_seeds, found.photos), level) >= POWER
    if found.show is not None:
        assert found.seen > 0.01
        assert found.settle is None or found.show.seeds <= found.settle.seeds


# All arms


def correct_runs(tables):
    return {f"arm {i}": Sample(tuple(right_or_wrong(row) for row in table), 1000) for i, table in enumerate(tables)}


def test_the_probability_of_being_best_of_two_is_their_ts():
    """Two arms whose difference has no photo noise: the simulated probability is nearly that of Student's t, since what
    is known of them is much beside the prior."""
    generator = np.random.default_rng(0)
    one = generator.random((5, 400)) < 0.72
    two = generator.random((5, 400)) < 0.70
    found = probabilities(METRICS["accuracy"], correct_runs([one, two]))
    squares = stats.mean_squares(one.astype(float) - two)
    assert squares.photo <= squares.rest * 1.1
    expected_share = reference.t.cdf(squares.mean / squares.error(), 4)
    assert found["arm 0"] == pytest.approx(expected_share, abs=0.04)
    assert sum(found.values()) == pytest.approx(1)


def test_standings_go_from_best_to_worst_whichever_way_is_better():
    one, two = MIXES["both"].correct(np.random.default_rng(5), 1, 5, 300)
    tested = correct_runs([one[0], two[0]])
    up, down = (stats.standings(METRICS[name], tested) for name in ("accuracy", "log_loss"))
    assert [found.arm for found in up] == [found.arm for found in down] == ["arm 0", "arm 1"]
    assert up[0].behind is None
    assert up[1].behind.value == pytest.approx(two.mean() - one.mean())
    assert up[0].probability_best > 0.5 > up[1].probability_best
    assert down[1].behind.value > 0
    alike = stats.standings(METRICS["accuracy"], correct_runs([one[0], one[0]]))
    assert [found.probability_best for found in alike] == pytest.approx([0.5, 0.5], abs=0.02)
    one_seed = stats.standings(METRICS["accuracy"], correct_runs([one[0][:1], two[0][:1]]))
    assert (one_seed[1].behind.low, one_seed[1].probability_best) == (None, None)


@pytest.mark.parametrize("n_arms", [2, 5])
def test_what_is_best_with_seventy_per_cent_is_best_seven_times_in_ten(n_arms):
    """True differences are drawn from the stated prior, normal with a standard deviation of 3 points; with a flat one
    the share would be some 60 %."""
    generator, told, true = np.random.default_rng(4), [], []
    for _ in range(150):
        means = 0.6 + 0.03 / np.sqrt(2) * generator.standard_normal(n_arms)
        runs = means[:, None] + 0.02 * generator.standard_normal((n_arms, 5))
        seen = runs.mean(axis=1) + 0.006 * generator.standard_normal(n_arms)
        seed, photo = np.diag(runs.var(axis=1, ddof=1) / 5), 0.006**2 * np.eye(n_arms)
        drawn = best._posterior(seen, seed, photo, 4, None, best.DIFFERENCE**2 / 2)
        shares = (drawn == drawn.max(axis=1, keepdims=True)).mean(axis=0)
        told.append(shares.max())
        true.append(means.argmax() == shares.argmax())
    told, true = np.array(told), np.array(true)
    inside = (told > 0.6) & (told < 0.8)
    assert reference.binomtest(int(true[inside].sum()), int(inside.sum()), float(told[inside].mean())).pvalue > 0.01


def test_the_chances_of_a_difference_are_its_ts_beside_the_margin():
    """With as flat a prior as can be, below, within and above the margin as Student's t has them."""
    generator = np.random.default_rng(2)
    tables, ahead = [generator.random((5, 4_000)) < share for share in (0.62, 0.6)], ("arm 0", "arm 1")
    found = best.chances(METRICS["accuracy"], correct_runs(tables), [ahead, ahead[::-1], ("arm 0", "gone")], 0.01)
    assert set(found) == {ahead, ahead[::-1]}
    one, two = found[ahead], found[ahead[::-1]]
    assert (one.worse, one.equivalent, one.better) == pytest.approx((two.better, two.equivalent, two.worse))
    assert one.worse + one.equivalent + one.better == pytest.approx(1)
    mean = stats.mean_difference(METRICS["accuracy"], *correct_runs(tables).values())
    above = reference.t.sf((0.01 - mean.value) / mean.error, mean.df)
    assert one.better == pytest.approx(above, abs=0.05)  # the prior draws it a little towards 0


@pytest.mark.soak
def test_arms_with_probability_p_are_best_p_of_the_time():
    """Calibration: among three arms whose true means are drawn at random, those called best with probability around
    0.7 to 0.9 are it in that share of the studies."""
    generator, told, true = np.random.default_rng(9), [], []
    for _ in range(1500):
        levels = generator.normal(0.8, 0.12, 3)
        difficulty = generator.normal(0, 1.0, (1, 300))
        tables = [
            generator.random((5, 300))
            < expit(level + difficulty + generator.normal(0, 0.15, (5, 1)) + generator.normal(0, 0.5, (1, 300)))
            for level in levels
        ]
        found = probabilities(METRICS["accuracy"], correct_runs(tables))
        told += found.values()
        true += list(levels == levels.max())
    told, true = np.array(told), np.array(true)
    inside = (told > 0.7) & (told < 0.9)
    assert inside.sum() > 200
    assert true[inside].mean() == pytest.approx(told[inside].mean(), abs=0.08)


# Other analyses of the same runs


def test_what_a_comparison_says_without_each_seed_and_by_a_bootstrap(tmp_path):
    reached = {"a": (0.70, 0.72, 0.74, 0.71), "b": (0.60, 0.62, 0.58, 0.64), "c": (0.60, 0.61, 0.60, 0.90)}
    store = grown(tmp_path / "s", reached, contrasts=(Contrast("b", "a"), Contrast("c", "b")))
    results = stats.summarize(store)
    assumed, (clear, open_) = sensitivity.of_study(store, results)
    assert assumed.spreads["c"] == pytest.approx(np.std(reached["c"], ddof=1))
    for found, (one, two) in ((clear, "ba"), (open_, "cb")):
        gaps = [np.mean(np.delete(reached[one], i)) - np.mean(np.delete(reached[two], i)) for i in range(4)]
        assert found.left_out == pytest.approx((min(gaps), max(gaps)))
    assert (results.contrasts[0].outcome, clear.n_same, clear.n) == ("worse", 4, 4)
    assert clear.bootstrap[0] < results.contrasts[0].difference.value < clear.bootstrap[1] < 0
    assert open_.bootstrap[0] < 0 < open_.bootstrap[1]
    paired = stats.mean_difference(METRICS["accuracy"], *(samples_of(store, arm) for arm in "ba"), pair_seeds=True)
    assert (clear.other.low, clear.other.high) == pytest.approx((paired.interval().low, paired.interval().high))


def samples_of(store, arm):
    return Sample(tuple(store.predictions(arm, seed) for seed in range(4)), 100)


def test_predictions_as_a_table_give_back_what_the_runs_said(tmp_path):
    store = grown(tmp_path / "s", {"a": (0.70, 0.72), "b": (0.60, 0.62)})
    (path,) = report.write_as(store, ["predictions"])
    table = pandas.read_csv(path)
    assert list(table.columns) == list(predictions_csv.COLUMNS)
    by_run = table.groupby(["model", "seed"])["correct"].mean()
    assert by_run.to_dict() == pytest.approx({("a", 0): 0.70, ("a", 1): 0.72, ("b", 0): 0.60, ("b", 1): 0.62})
    assert ((table["class"] == table["predicted"]) == table["correct"]).all()
