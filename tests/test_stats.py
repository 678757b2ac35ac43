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
    ("low", "high", "outcome"),
    [(0.01, 0.05, "better"), (-0.05, -0.01, "worse"), (-0.01, 0.05, "not resolved"), (0.0, 0.05, "not resolved"),
     (None, None, "one seed")],
)  # fmt: skip
def test_outcomes_come_from_the_interval_alone(low, high, outcome):
    assert stats.outcome(Estimate(0.02, low, high, 3, "")) == outcome
    assert stats.outcome(None) == "no pairs"


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


def rewrite(store, arm, seed, accuracy, guesses=None, failure=None):
    """Replaces a run by one that says otherwise."""
    run, predictions = store.run(arm, seed), store.predictions(arm, seed)
    history = store.history(arm, seed)
    shutil.rmtree(store.directory(arm, seed))
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
    line = stats.summarize(copied).commonest.accuracy
    for seed in (0, 1):
        rewrite(copied, "plain", seed, line, guesses=[0] * 12)
    rewrite(copied, "residual", 0, 0.9, guesses=list(range(3)) * 4)
    rewrite(copied, "residual", 1, 1 / 3, guesses=[2] * 12)
    plain, residual = stats.summarize(copied).arms
    assert (plain.n_at_commonest, plain.beats_commonest, plain.accuracy_learned) == (2, False, None)
    assert residual.n_at_commonest == 1
    assert residual.beats_commonest is False  # its interval reaches far below the line
    assert residual.accuracy_learned.value == 0.9


def test_failed_runs_count_but_carry_no_figure(copied):
    rewrite(copied, "plain", 1, None, failure=Failure("the training loss became nan", 1, 3))
    plain, _ = stats.summarize(copied).arms
    assert (plain.n_finished, plain.n_failed, plain.test_accuracy.low) == (1, 1, None)
    (contrast,) = stats.summarize(copied).contrasts
    assert (contrast.outcome, contrast.difference.n) == ("one seed", 1)


def test_pairs_are_made_by_seed(copied):
    for arm, accuracies in (("plain", (0.2, 0.7)), ("residual", (0.3, 0.8))):
        for seed, accuracy in enumerate(accuracies):
            rewrite(copied, arm, seed, accuracy)
    (contrast,) = stats.summarize(copied).contrasts
    plain = stats.summarize(copied).arms[0].test_accuracy
    assert contrast.difference.value == pytest.approx(0.1)
    # 0.1 in both seeds: what is left is the rounding to twelve test photos
    assert contrast.difference.high - contrast.difference.low < 0.7 < plain.high - plain.low


def test_seeds_that_agree_by_rounding_are_no_certainty():
    """The spread of a difference of two counts is that of rounding at least: one photo wide, uniform, twice."""
    spread = np.sqrt(2 * (1 / 100) ** 2 / 12)
    ours = stats.difference_interval([0.03, 0.03, 0.03], 100)
    low, high = reference.t.interval(0.95, 2, loc=0.03, scale=spread / np.sqrt(3))
    assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))
    assert stats.difference_interval([1 / 9, 1 / 9], 9).low < 0
    assert stats.accuracy_interval([0.9, 0.95], 100).high == 1.0
    wide = [0.50, 0.60, 0.72]
    assert stats.accuracy_interval(wide, 100) == stats.mean_interval(wide)


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
