"""Several data sets: each figure as an independent library or the textbook has it, and what may not be combined."""

import json

import autorank
import numpy as np
import pandas as pd
import pytest
from baycomp.multiple import SignedRankTest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from commongarden import stats, workflow
from commongarden.errors import StudyError
from commongarden.i18n.language import used
from commongarden.stats.between_studies import Side
from commongarden.stats.data_sets import combine, joined
from commongarden.stats.data_sets.best_on_new import chances
from commongarden.stats.data_sets.random_effects import random_effects
from commongarden.stats.data_sets.ranks import ranks
from commongarden.stats.data_sets.replicability import significant_on
from commongarden.stats.data_sets.signed_rank import signed_rank
from commongarden.stats.means import Mean
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from grown import grown

NAMES = ("flowers", "textures", "shapes", "counts")


def study(name, *, arms=("plain", "residual", "bottleneck"), resolution=32, **changes):
    made = {arm: Arm(f"{arm}_flower") for arm in arms}
    return Study(name, "photos", made, Recipe(resolution=resolution, epochs=4), (0, 1, 2, 3), **changes)


def stored(root, name, above=0.0, *, data=None, of=None):
    """A study on a data set of its own; residual is better than plain by more on easier data sets."""
    reached = {
        "plain": tuple(value + above for value in (0.50, 0.52, 0.49, 0.55)),
        "residual": tuple(value + 1.4 * above for value in (0.60, 0.61, 0.63, 0.62)),
        "bottleneck": tuple(value + above for value in (0.58, 0.55, 0.56, 0.60)),
    }
    found = of or study(name)
    store = grown(root / name, {arm: reached[arm] for arm in found.arms}, study=found, data=data or name)
    return Side(name, store, stats.summarize(store))


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    root = tmp_path_factory.mktemp("studies")
    first = stored(root, "flowers", of=study("flowers", resolution=64))
    return [first, *(stored(root, name, above) for name, above in zip(NAMES[1:], (0.1, -0.02, 0.2), strict=True))]


def test_the_mean_over_data_sets_is_that_of_the_textbook():
    """With errors of one size, Hartung and Knapp's interval is Student's over the data sets, and Paule and Mandel's
    variance is the scatter minus the error."""
    values, error = np.array([0.02, 0.05, 0.01, 0.09, 0.04]), 0.01
    found = random_effects(values, [error] * 5)
    interval = found.mean.interval()
    low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (interval.value, interval.low, interval.high) == pytest.approx((values.mean(), low, high), rel=1e-4)
    assert found.tau == pytest.approx(np.sqrt(values.var(ddof=1) - error**2), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "errors", "metafor"),
    [
        ((0.10, 0.04, 0.02, 0.12), (0.02, 0.01, 0.03, 0.02), (0.0711484, -0.0029931, 0.1452899, 0.0419112)),
        (
            (0.03, 0.05, 0.01, 0.09, 0.04, 0.02),
            (0.01, 0.012, 0.02, 0.008, 0.03, 0.015),
            (0.0426385, 0.0112326, 0.0740444, 0.0255799),
        ),
        ((0.03, 0.031, 0.029), (0.01, 0.02, 0.015), (0.0298852, -0.0031686, 0.0629391, 0.0)),
    ],
)
def test_unequal_errors_are_those_of_metafor(values, errors, metafor):
    """R 4.2.2 with metafor 3.8-1, once by hand: rma(yi, sei=sei, method="PM", test="adhoc"), interval and tau."""
    found = random_effects(values, errors)
    interval = found.mean.interval()
    assert (interval.value, interval.low, interval.high, found.tau) == pytest.approx(metafor, abs=2e-7)


def test_data_sets_that_agree_by_luck_do_not_narrow_the_interval():
    found = random_effects([0.03, 0.03, 0.03], [0.01, 0.01, 0.01])
    assert found.mean.error == pytest.approx(0.01 / np.sqrt(3))
    assert (found.tau, found.i2) == (0, 0)
    assert random_effects([0.03, 0.01], [0.01, 0.01]).prediction is None


def test_ranks_are_those_of_autorank():
    x = np.random.default_rng(0).normal(0.7, 0.05, (8, 4)) + np.array([0, 0.02, 0.05, 0.06])
    found = ranks(x)
    other = autorank.autorank(
        pd.DataFrame(x, columns=list("abcd")), verbose=False, approach="frequentist", force_mode="nonparametric"
    )
    assert dict(zip("abcd", found.mean, strict=True)) == pytest.approx(dict(other.rankdf["meanrank"]))
    assert found.p == pytest.approx(other.pvalue)
    assert found.critical == pytest.approx(other.cd, rel=1e-4)  # autorank has a table with three decimals


def test_groups_of_ranks_that_do_not_differ():
    """Two of Demsar's bars: places 3 and 2 are apart by less than the critical difference, 3 and 1 are not."""
    found = ranks([[0.1, 0.2, 0.3, 0.4]] * 6)
    assert found.mean == (4, 3, 2, 1)
    assert found.alike == ((3, 2), (2, 1), (1, 0))
    assert 1 < found.critical < 2


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.03])
def test_the_signed_rank_test_is_that_of_baycomp(shift):
    generator = np.random.default_rng(3)
    x = generator.normal(0, 0.03, 6)
    y = x + generator.normal(shift, 0.02, 6)
    found = signed_rank(y - x, 0.01)
    worse, equivalent, better = SignedRankTest(x, y, 0.01, nsamples=20_000, random_state=0).probs()
    assert (found.worse, found.equivalent, found.better) == pytest.approx((worse, equivalent, better), abs=0.015)


def test_data_sets_by_themselves_are_those_that_holm_rejects():
    means = [Mean(value, 0.01, 6.0, 3, "") for value in (0.05, 0.04, -0.035, 0.01, 0.03)]
    above, below = significant_on(means)
    rejected = multipletests([one.p for one in means], method="holm")[0]
    assert sorted(above + below) == list(np.flatnonzero(rejected))
    assert (above, below) == ([0, 1, 4], [2])


def test_the_chance_to_be_best_grows_with_the_difference_and_shrinks_with_scatter():
    figures = np.array([[0.5, 0.55], [0.6, 0.66], [0.7, 0.75], [0.6, 0.64]])
    clear, average = chances(figures, np.full((4, 1), 0.005))
    scattered, _ = chances(figures + np.array([[0.1, 0], [0, 0.1], [0.1, 0], [0, 0.1]]), np.full((4, 1), 0.005))
    assert clear.sum() == pytest.approx(1)
    assert clear[1] > 0.97
    assert average[1] >= clear[1]
    assert scattered[1] < 0.75


def test_four_studies_say_what_their_own_reports_say(sides):
    """Differences by data set are those of each study; the mean over data sets lies between them."""
    found = combine(joined(sides))
    assert found.arms == ("plain", "residual", "bottleneck")
    for one in found.contrasts:
        for side, difference in zip(sides, one.by_data_set, strict=True):
            (own,) = (each for each in side.results.contrasts if (each.arm, each.against) == (one.arm, one.against))
            assert difference == own.difference
        values = [each.value for each in one.by_data_set]
        assert min(values) <= one.difference.value <= max(values)
        assert [each.data_set for each in one.without] == list(NAMES)
    first = found.contrasts[0]
    assert (first.arm, first.against, first.outcome) == ("residual", "plain", "better")
    assert first.n_ahead(True) == 4
    assert found.order[0] == 1
    assert sum(found.best_on_new) == pytest.approx(1)


def test_with_two_data_sets_nothing_is_concluded(sides):
    found = combine(joined(sides[:2]))
    assert {one.outcome for one in found.contrasts} == {"not resolved"}
    assert found.best_on_new is None
    assert all(one.prediction is None and one.adjusted is None for one in found.contrasts)


@pytest.mark.parametrize(
    ("of", "data", "said"),
    [
        (None, "flowers", "images in both"),
        (study("other", metric="log_loss"), None, "found the metrics accuracy and log_loss"),
        (study("other", margin=2.0), None, "found the margins 1 and 2"),
        (study("other", arms=("plain",)), None, "the studies have 1 models of the same name"),
    ],
)
def test_what_may_not_be_combined(sides, tmp_path, of, data, said):
    with pytest.raises(StudyError, match=said):
        joined([sides[0], stored(tmp_path, "other", of=of, data=data)])


def test_a_model_must_be_the_same_network(sides, tmp_path):
    changed = study("other")
    arms = {**changed.arms, "plain": Arm("plain_flower", {"order": "LBA"})}
    with pytest.raises(StudyError, match=r"model plain: order is LAB in flowers and LBA in other"):
        joined([sides[0], stored(tmp_path, "other", of=Study("other", "photos", arms, changed.recipe, changed.seeds))])


def test_the_page_and_the_json_in_both_languages(sides, tmp_path):
    folders = [side.store.root for side in sides]
    found, page = workflow.combine(folders, tmp_path)
    english = page.read_text(encoding="utf-8")
    assert "4 data sets are few" in english
    assert "resolution" in english
    table = json.loads((tmp_path / "combined.json").read_text(encoding="utf-8"))
    assert table["answer"].startswith("Best on average over 4 data sets: residual")
    assert [row["sentence"] for row in table["contrasts"]]
    with used("ko"):
        workflow.combine(folders, tmp_path)
    assert 'lang="ko"' in page.read_text(encoding="utf-8")
    assert table["means"] == list(found.means)
