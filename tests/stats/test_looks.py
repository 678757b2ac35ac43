"""Seeds that are added to a finished study: what was seen before counts."""

import dataclasses

import numpy as np
import pytest
from scipy import stats as reference

from commongarden import stats
from commongarden import store as stores
from commongarden.report.wording import words
from commongarden.stats import looks, racing, sequential
from commongarden.stats.crossed import difference_squares
from grown import grown

REACHED = {
    "a": (0.60, 0.66, 0.62, 0.66, 0.61, 0.66, 0.60, 0.66, 0.62),
    "b": (0.64, 0.70, 0.63, 0.71, 0.64, 0.70, 0.66, 0.70, 0.65),
}


def extended(root, n_before):
    store = grown(root, REACHED)
    looks.keep_look(store, dataclasses.replace(store.study(), seeds=tuple(range(n_before))))
    return store


def test_later_looks_share_a_fifth_of_the_error_rate():
    levels = sequential.levels_again((5, 10, 15), 0.05)
    assert levels[0] == pytest.approx(0.05)
    assert levels[1] < 0.02
    correlation = [[min(a, b) / (a * b) ** 0.5 for b in (5, 10, 15)] for a in (5, 10, 15)]
    limit = np.array([reference.norm.isf(level / 2) for level in levels])
    inside = reference.multivariate_normal(np.zeros(3), correlation, seed=0).cdf(limit, lower_limit=-limit)
    assert 1 - inside == pytest.approx(0.0575, abs=3e-4)


def test_seeds_added_to_a_finished_study_make_its_conclusions_stricter(tmp_path):
    plain = stats.summarize(grown(tmp_path / "plain", REACHED)).contrasts[0]
    store = extended(tmp_path / "extended", 5)
    results = stats.summarize(store)
    (found,) = results.contrasts
    assert looks.read(store) == results.looks == (5,)
    assert plain.level == 0.05
    assert found.level < 0.02
    assert found.adjusted.high - found.adjusted.low > plain.adjusted.high - plain.adjusted.low
    said = words.intervals(results)
    assert "Seeds were added after results with 5 seeds." in said
    assert "at most 6 %" in said
    again = dataclasses.replace(store.study(), seeds=tuple(range(7)))
    looks.keep_look(store, again)
    assert looks.read(store) == (5, 7)


def test_what_was_settled_before_stays_settled(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.51, 0.5, 0.52, 0.51, 0.9), "b": (0.8, 0.81, 0.8, 0.8, 0.81, 0.5)})
    looks.keep_look(store, dataclasses.replace(store.study(), seeds=(0, 1, 2, 3, 4)))
    (found,) = stats.summarize(store).contrasts
    assert (found.outcome, found.difference.n, found.level) == ("better", 5, pytest.approx(0.05))


def test_what_was_no_result_yet_does_not_count(tmp_path):
    store = grown(tmp_path, REACHED)
    looks.keep_look(store, dataclasses.replace(store.study(), seeds=(0, 1)))  # two seeds give no conclusion
    looks.keep_look(store, dataclasses.replace(store.study(), seeds=tuple(range(12))))  # not all runs are there
    assert looks.read(store) == ()
    assert stats.summarize(store).looks == ()


def test_other_designs_are_called_exploratory(tmp_path):
    store = extended(tmp_path, 5)
    stores.write_study(store.root, dataclasses.replace(store.study(), metric="log_loss"))
    results = stats.summarize(store)
    assert results.contrasts[0].level == 0.05
    assert "so new conclusions are exploratory" in words.intervals(results)


def test_adding_seeds_until_something_is_found_finds_nothing_too_often():
    """400 studies of two equal networks: three looks, at 5, 10 and 15 seeds. At the plain level some 10 % claim one."""
    generator, claimed, n = np.random.default_rng(8), 0, 400
    plan = looks.AddedPlan(15, counts=(5, 10, 15))
    for _ in range(n):
        hard = generator.normal(0, 1.8, 225)
        luck = generator.normal(0, 0.15, (2, 15, 1))
        one, two = (hard + luck + generator.normal(0, 1.1, (2, 15, 225)) > -0.5).astype(float)
        decisions = ["open"]
        for k, seeds in enumerate(plan.looks):
            squares = difference_squares(one[:seeds], two[:seeds], pair_seeds=False)
            racing.decide({0: racing.of_mean_squares(squares)}, decisions, k, plan)
        claimed += decisions[0] in ("better", "worse")
    assert reference.binomtest(claimed, n, 0.06, "greater").pvalue > 0.01
