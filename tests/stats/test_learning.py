"""Whether runs learn is a question of its own: rule, exact figures, and what is compared then."""

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.proportion import proportion_confint

from commongarden import stats
from commongarden.report.wording import answers, words
from commongarden.stats import learning
from commongarden.stats.pairing import are_paired
from commongarden.stats.racing import RacePlan, race
from grown import grown

FAILS = {"a": (0.70, 0.72, 0.74, 0.71, 0.73), "b": (0.60, 0.62, 0.24, 0.64, 0.63)}


def test_a_run_has_learned_above_the_largest_class_and_chance():
    assert not learning.has_learned(0.40, 0.40, 9)
    edge = 0.4 + 1.645 * np.sqrt(0.4 * 0.6 / 400)
    assert not learning.has_learned(edge - 0.001, 0.4, 400)
    assert learning.has_learned(edge + 0.001, 0.4, 400)
    guessing = np.random.default_rng(0).binomial(400, 0.4, 4_000) / 400
    assert np.mean([learning.has_learned(value, 0.4, 400) for value in guessing]) <= 0.06


def test_few_validation_photos_leave_the_question_to_the_training_photos(tmp_path):
    """Five validation photos: what a third of them more right than guessing says is nothing."""
    store = grown(tmp_path / "s", {"a": (0.6, 0.36)})
    assert len(store.split(0).val) == 5
    assert not learning.has_learned(0.6, 0.4, 5)
    assert learning.learned(store, store.runs()) == {("a", 0): True, ("a", 1): False}


@pytest.mark.parametrize(("k", "n"), [(4, 5), (0, 3), (10, 10), (17, 20)])
def test_the_share_of_runs_that_learned_is_exact(k, n):
    found = learning.share(k, n)
    assert (found.low, found.high) == pytest.approx(proportion_confint(k, n, method="beta"), nan_ok=True) or k in (0, n)
    for true in (0.5, 0.75, 0.95):  # it covers what it says: summed over all that could have been seen
        chances = reference.binom.pmf(np.arange(n + 1), n, true)
        held = [learning.share(i, n).low <= true <= learning.share(i, n).high for i in range(n + 1)]
        assert chances @ held >= 0.95
    assert (1 - learning.not_excluded(n)) ** n == pytest.approx(0.05)


def test_accuracies_are_compared_where_both_learned(tmp_path):
    results = stats.summarize(grown(tmp_path / "s", FAILS))
    (found,) = results.contrasts
    kept = stats.summarize(grown(tmp_path / "kept", {arm: (*of[:2], *of[3:]) for arm, of in FAILS.items()}))
    assert found.difference.value == pytest.approx(kept.contrasts[0].difference.value)
    assert (found.outcome, found.difference.n) == ("worse", 4)
    assert found.all_runs.value == pytest.approx(np.mean(FAILS["b"]) - np.mean(FAILS["a"]))
    assert found.learning.p == pytest.approx(reference.fisher_exact([[4, 1], [5, 0]]).pvalue)
    assert "Compared in the 4 of 5 seeds in which both learned; over all, the difference is -17.4 points." in (
        words.verdict(found)
    )
    (note,) = words.notes(results)
    assert note.startswith("b learned in 4 of 5 seeds (95 % CI 28 to 99 %). When it learned, it reached 62.2 %")
    assert "Conclusions on accuracy are about runs that learned" in words.intervals(results)
    assert "failures to learn in up to 45 of 100 runs" in words.intervals(
        stats.summarize(grown(tmp_path / "clean", {"a": FAILS["a"], "c": FAILS["a"]}))
    )


def test_an_arm_that_never_learned_is_compared_as_it_is(tmp_path):
    results = stats.summarize(grown(tmp_path / "s", {"a": FAILS["a"], "b": (0.24, 0.25, 0.24, 0.24, 0.24)}))
    (found,) = results.contrasts
    assert (found.outcome, found.difference.n, found.all_runs) == ("worse", 5, None)
    assert found.learning.p == pytest.approx(0.0079, abs=1e-4)


def test_what_is_compared_is_said_where_one_arm_alone_learns(tmp_path):
    reached = {"a": (0.7, 0.72, 0.2, 0.71, 0.73), "b": (0.24, 0.25, 0.24, 0.24, 0.24)}
    results = stats.summarize(grown(tmp_path / "s", reached))
    said = " ".join(answers.said(results, None).settled)
    assert "Compared in the 4 of 5 seeds in which a learned; over all, the difference is -37.0 points." in said


def test_without_a_seed_in_which_both_learned_nothing_is_compared(tmp_path):
    results = stats.summarize(grown(tmp_path / "s", {"a": (0.7, 0.2, 0.74), "b": (0.2, 0.62, 0.24)}))
    (found,) = results.contrasts
    assert found.outcome == "no pairs"
    assert "in no seed have both learned" in words.verdict(found)
    assert any("no seed in which both learned" in line for line in answers.said(results, None).open)


def test_a_race_decides_on_runs_that_learned():
    """300 raced studies of two networks that are equal when they learn; one fails one time in four and is the better
    for it. Decided over all runs, 31 % of such studies claim a difference."""
    generator, claimed = np.random.default_rng(5), 0
    for _ in range(300):
        fails = {("b", seed): generator.random() < 0.25 for seed in range(20)}
        hard = generator.normal(0, 1, 225)
        runs = {
            (arm, seed): generator.random(225) < (0.24 if fails.get((arm, seed)) else 1 / (1 + np.exp(-1 - hard)))
            for arm in "ab"
            for seed in range(20)
        }
        found = race(
            [("a", "b")], ["a", "b"], range(20), lambda arm, seed, runs=runs: runs[arm, seed], lambda arm, seed: True,
            RacePlan(20), learned=lambda arm, seed, fails=fails: not fails.get((arm, seed), False),
        )  # fmt: skip
        claimed += found.looks[-1].contrasts[0].decision in ("better", "worse")
    assert reference.binomtest(claimed, 300, 0.06, "greater").pvalue > 0.01
    assert not are_paired(np.zeros((2, 20)))


def test_one_seed_in_which_both_learned_is_exploratory(tmp_path):
    results = stats.summarize(grown(tmp_path / "s", {"a": (0.70, 0.20, 0.72), "b": (0.60, 0.62, 0.21)}))
    (found,) = results.contrasts
    assert (found.outcome, found.difference.n) == ("one seed", 1)
    text = answers.said(results, "garden/s")
    assert [line for line in text.open if "Not significant" in line] == []
    assert any(
        "Exploratory, 1 seed in which both learned: b compared with a, -10.0 points" in line for line in text.open
    )
    assert "is -10.0 points (1 seed). A conclusion takes 3 seeds." in words.verdict(found)
    assert "With one seed there is no confidence interval" not in words.verdict(found)
