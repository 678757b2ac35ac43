"""Estimates against scipy's own, and what may be said of them."""

import dataclasses
import math
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from commongarden import stats
from commongarden import store as stores
from commongarden.records import Estimate, Failure, Predictions


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_mean_interval_is_scipys(values):
    ours = stats.mean_interval(values)
    scale = np.std(values, ddof=1) / math.sqrt(len(values))
    assert ours.value == pytest.approx(np.mean(values))
    if scale > 1e-9:
        low, high = reference.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=scale)
        assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))
    else:
        assert ours.high - ours.low < 1e-6


def test_a_paired_difference_is_scipys():
    one, two = np.array([0.60, 0.58, 0.63, 0.61]), np.array([0.55, 0.57, 0.56, 0.58])
    ours = stats.mean_interval(list(one - two))
    low, high = reference.ttest_rel(one, two).confidence_interval(0.95)
    assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_no_interval():
    assert stats.mean_interval([0.5]) == Estimate(0.5, None, None, 1, "one run: no interval")


@pytest.mark.parametrize(
    ("low", "high", "within", "outcome"),
    [(0.01, 0.05, False, "better"), (0.001, 0.005, True, "better"), (-0.05, -0.01, False, "worse"),
     (-0.01, 0.05, False, "not resolved"), (0.0, 0.05, False, "not resolved"), (-0.01, 0.01, True, "equivalent")],
)  # fmt: skip
def test_outcomes_come_from_the_adjusted_interval_and_the_margin(low, high, within, outcome):
    difference, adjusted = Estimate(0.02, 0.01, 0.03, 3, ""), Estimate(0.02, low, high, 3, "")
    assert stats.outcome(difference, adjusted, within) == outcome
    turned = {"better": "worse", "worse": "better"}.get(outcome, outcome)
    assert stats.outcome(difference, adjusted, within, higher_is_better=False) == turned


def test_without_an_interval_the_outcome_says_why():
    assert stats.outcome(None, None, False) == "no pairs"
    assert stats.outcome(Estimate(0.02, None, None, 1, ""), None, False) == "one seed"
    assert stats.outcome(Estimate(0.02, None, None, 3, ""), None, False) == "one photo"


def test_the_commonest_class_of_the_facts():
    """FACTS: always guessing dandelion scores 24.4 %, with a loss (entropy of the class shares) of 1.60."""
    labels = ["daisy"] * 764 + ["dandelion"] * 1052 + ["rose"] * 784 + ["sunflower"] * 733 + ["tulip"] * 984
    line = stats.commonest_class(labels, labels)
    assert line.label == "dandelion"
    assert line.accuracy == pytest.approx(0.244, abs=5e-4)
    assert line.loss == pytest.approx(1.60, abs=5e-3)


def test_the_commonest_class_is_the_training_parts():
    line = stats.commonest_class(["a", "a", "b"], ["b", "b", "b", "a"])
    assert (line.label, line.accuracy) == ("a", 0.25)


@pytest.fixture
def copied(finished, tmp_path):
    """The finished study's folder, to be tampered with."""
    shutil.copytree(finished, tmp_path / "study")
    return stores.open_store(tmp_path / "study")


def rewrite(store, arm, seed, accuracy, guesses=None, failure=None, train_accuracy=None):
    """Replaces a run by one that says otherwise."""
    run, predictions = store.run(arm, seed), store.predictions(arm, seed)
    history = store.history(arm, seed)
    if train_accuracy is not None:
        history = [dataclasses.replace(epoch, train_accuracy=train_accuracy) for epoch in history]
    shutil.rmtree(store.directory(arm, seed))
    if guesses is None and accuracy is not None:  # right about the first photos
        n_right = round(accuracy * len(predictions.labels))
        guesses = [(label + (i >= n_right)) % 3 for i, label in enumerate(predictions.labels)]
    if guesses is not None:
        probabilities = np.eye(3, dtype=np.float32)[guesses]
        predictions = Predictions(predictions.photos, predictions.labels, probabilities)
    changed = dataclasses.replace(run, test_accuracy=accuracy)
    if failure is not None:
        changed = dataclasses.replace(run, status="failed", failure=failure, test_accuracy=None)
    stores.write_run(store, changed, history, predictions, b"")


def test_results_of_a_finished_study(finished):
    results = stats.summarize(stores.open_store(finished))
    runs = stores.open_store(finished).runs()
    plain = [run.test_accuracy for run in runs if run.arm == "plain"]
    residual = [run.test_accuracy for run in runs if run.arm == "residual"]
    assert results.arms[0].test_accuracy.value == pytest.approx(np.mean(plain))
    (contrast,) = results.contrasts
    assert (contrast.arm, contrast.against) == ("residual", "plain")
    assert contrast.difference.value == pytest.approx(np.mean(np.subtract(residual, plain)))
    assert ("order", "LBA", "LAB") in contrast.differs
    assert ("architecture", "residual_flower", "plain_flower") in contrast.differs
    assert results.arms[0].n_params == 173_507
    assert (results.n_train, results.n_val, results.n_test) == (36, 12, 12)


def test_an_arm_at_the_commonest_class_line_is_called_so(copied):
    """The training part decides beside 12 validation photos: there, 12 of 36 are of one class."""
    line = stats.summarize(copied).commonest.accuracy
    for seed in (0, 1):
        rewrite(copied, "plain", seed, line, guesses=[0] * 12, train_accuracy=1 / 3)
    rewrite(copied, "residual", 0, 11 / 12, train_accuracy=8 / 12)
    rewrite(copied, "residual", 1, 1 / 3, guesses=[2] * 12, train_accuracy=1 / 3)
    plain, residual = stats.summarize(copied).arms
    assert (plain.n_at_commonest, plain.beats_commonest, plain.accuracy_learned) == (2, False, None)
    assert residual.n_at_commonest == 1
    assert residual.beats_commonest is False  # its interval reaches far below the line
    assert residual.accuracy_learned.value == pytest.approx(11 / 12)


def test_failed_runs_count_but_carry_no_figure(copied):
    rewrite(copied, "plain", 1, None, failure=Failure("the training loss became nan", 1, 3))
    plain, _ = stats.summarize(copied).arms
    assert (plain.n_finished, plain.n_failed, plain.test_accuracy.low) == (1, 1, None)
    (contrast,) = stats.summarize(copied).contrasts
    assert (contrast.outcome, contrast.difference.n) == ("one seed", 1)


def test_pairs_are_made_by_seed_and_photo(copied):
    for arm, right in (("plain", (2, 8)), ("residual", (3, 9))):
        for seed, n in enumerate(right):
            rewrite(copied, arm, seed, n / 12)
    (contrast,) = stats.summarize(copied).contrasts
    assert contrast.difference.value == pytest.approx(1 / 12)
    # one photo more in both seeds; two arms with two seeds cannot show that seeds matter to both, so the error is that
    # of independent runs, 3 in 12 photos apart in either arm, and there is no verdict
    assert not contrast.pair_seeds
    apart = [np.var([2 / 12, 8 / 12], ddof=1), np.var([3 / 12, 9 / 12], ddof=1)]
    assert contrast.components.seed == pytest.approx(np.sqrt(sum(apart) - contrast.components.rest**2 / 12))
    assert contrast.outcome == "two seeds"


def test_results_hold_what_a_contrast_rests_on(copied):
    """Against the functions themselves, on what the runs said."""
    results, runs = stats.summarize(copied), stats.predictions_by_arm(copied, copied.study(), copied.runs())
    (found,) = results.contrasts
    right = {
        arm: np.array([run.probabilities.argmax(axis=1) == run.labels for run in by_seed.values()], dtype=float)
        for arm, by_seed in runs.items()
    }
    squares = stats.difference_squares(right["residual"], right["plain"], pair_seeds=False)
    mean = stats.crossed.mean_of(squares, least_error=1 / 12, bounds=(-1.0, 1.0))
    assert (found.difference.low, found.difference.high) == (mean.interval().low, mean.interval().high)
    assert found.adjusted is None, "two seeds are exploratory"
    assert (found.components.seed, found.components.photo) == (mean.components.seed, mean.components.photo)
    assert (found.p_least, found.family, found.margin) == (pytest.approx(1 / 3), 0, 0.01)
    wins = [np.sign(a - b) for a in right["residual"].mean(axis=1) for b in right["plain"].mean(axis=1)]
    assert found.probability.value == pytest.approx((np.mean(wins) + 1) / 2)
    assert results.design == "crossed"
    best = max(right, key=lambda arm: right[arm].mean())
    assert right[results.standings[0].arm].mean() == right[best].mean()


def test_the_spread_of_rounding_is_that_of_counting_photos():
    shares = np.random.default_rng(0).uniform(0.2, 0.8, 200_000)
    rounded = np.round(shares * 50) / 50
    assert np.std(rounded - shares) == pytest.approx(stats.rounding_spread(50), rel=0.02)


def test_the_most_missed_photos_come_first(copied):
    truth = copied.predictions("plain", 0).labels
    wrong_once = [(label + 1) % 3 if i == 4 else label for i, label in enumerate(truth)]
    for arm in ("plain", "residual"):
        for seed in (0, 1):
            rewrite(copied, arm, seed, 0.9, guesses=wrong_once if arm == "plain" else list(truth))
    photos = copied.predictions("plain", 0).photos
    assert stats.most_missed(copied) == [(str(photos[4]), 0.5)]
