"""Simple methods beside the networks: against scikit-learn itself, and where only colour tells photos apart."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from commongarden import report, stats
from commongarden import store as stores
from commongarden.data import baselines
from commongarden.records import Baseline
from commongarden.report.wording import baselines as said
from commongarden.report.wording import words
from grown import grown


def flecked(n, n_classes, side=32, seed=0):
    """Noise in which the classes differ a little in their mean colour, and in nothing else."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    centre = generator.uniform(90, 160, (n_classes, 3))[labels][:, None, None, :]
    images = generator.normal(centre + generator.normal(0, 25, (n, 1, 1, 3)), 40, (n, side, side, 3))
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="module")
def soil():
    images, labels = flecked(240, 4)
    order = np.random.default_rng(1).permutation(240)
    return images, labels, order[:140], order[140:180], order[180:]


def test_the_colours_are_those_of_an_independent_histogram(soil):
    pixels = soil[0][0]
    edges = [np.linspace(0, 256, baselines.BINS + 1)] * 3
    counts, _ = np.histogramdd(pixels.reshape(-1, 3).astype(float), bins=edges)
    np.testing.assert_allclose(baselines.colour_shares(pixels), counts.ravel() / len(pixels) ** 2)


def test_small_pixels_are_means(soil):
    pixels = soil[0][0]
    blocks = pixels.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(baselines.small_pixels(pixels), blocks, atol=1.01)  # it rounds rows, then columns


def test_both_are_what_scikit_learn_gives_directly(soil):
    images, labels, train, val, test = soil
    (colours, by_colour), (neighbours, by_pixels) = baselines.fit(*soil, 4)

    roots = np.sqrt([np.histogramdd(x.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)[0].ravel() / 32**2 for x in images])
    scaled = StandardScaler().fit(roots[train]).transform(roots)
    models = {c: LogisticRegression(C=c, max_iter=500).fit(scaled[train], labels[train]) for c in baselines.STRENGTHS}
    best = max(models, key=lambda c: (models[c].score(scaled[val], labels[val]), -c))
    assert colours.setting == best
    assert colours.val_accuracy == models[best].score(scaled[val], labels[val])
    assert colours.test_accuracy == models[best].score(scaled[test], labels[test])
    np.testing.assert_allclose(by_colour, models[best].predict_proba(scaled[test]), atol=2e-3)

    small = np.array([baselines.small_pixels(x) for x in images])
    models = {k: KNeighborsClassifier(k).fit(small[train], labels[train]) for k in baselines.NEIGHBOURS}
    best = max(models, key=lambda k: (models[k].score(small[val], labels[val]), -k))
    assert neighbours.setting == best
    assert neighbours.test_accuracy == models[best].score(small[test], labels[test])
    np.testing.assert_allclose(by_pixels, models[best].predict_proba(small[test]), atol=1e-6)
    assert colours.test_accuracy > 0.5  # against 0.25 by chance: the test is not one of two broken methods


def test_the_test_part_chooses_nothing(soil):
    images, labels, train, val, test = soil
    mixed = labels.copy()
    mixed[test] = np.random.default_rng(2).permutation(mixed[test])
    one, two = list(baselines.fit(*soil, 4)), list(baselines.fit(images, mixed, train, val, test, 4))
    for (before, guesses), (after, others) in zip(one, two, strict=True):
        assert (before.setting, before.val_accuracy) == (after.setting, after.val_accuracy)
        np.testing.assert_array_equal(guesses, others)
        assert before.test_accuracy != after.test_accuracy


def test_a_class_without_a_training_photo_gets_no_probability(soil):
    images, labels, train, val, test = soil
    for _, probabilities in baselines.fit(images, labels, train[labels[train] != 2], val, test, 4):
        assert probabilities.shape == (60, 4)
        assert (probabilities[:, 2] == 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert list(baselines.fit(images, labels, train[labels[train] == 2], val, test, 4)) == []


def test_a_fit_that_was_stopped_is_told_and_warns_nobody(soil, monkeypatch):
    monkeypatch.setattr(baselines, "MAX_ITER", 1)
    (colours, _), (neighbours, _) = baselines.fit(*soil, 4)
    assert (colours.converged, neighbours.converged) == (False, True)
    assert "did not converge" in said.caption([colours, neighbours], 140)
    assert "did not converge" not in said.caption([neighbours], 140)
    assert said.caption([], 140) == ""


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.integers(1, 100))
def test_of_a_large_part_every_class_keeps_its_share(classes, most):
    labels = np.array(classes)
    places = np.arange(len(labels))[::-1]
    kept = baselines._evenly(places, labels, most)
    assert len(kept) == min(most, len(labels)) == len(set(kept.tolist()))
    for label in range(4):
        assert abs((labels[kept] == label).sum() - (labels == label).mean() * len(kept)) <= 1 + 1e-9


def test_a_large_study_says_how_many_photos_they_learned_from(soil, monkeypatch):
    monkeypatch.setattr(baselines, "MOST_TRAIN", 80)
    found = [item for item, _ in baselines.fit(*soil, 4)]
    assert {item.n_train for item in found} == {80}
    assert "They were fitted on 80 images of the training set." in said.caption(found, 140)


def with_baselines(root, accuracies, rights):
    """A grown store whose two baselines got these shares of the test photos right."""
    store = grown(root, accuracies)
    predictions = store.predictions("a", 0)
    found = {}
    for (kind, setting, val), right in zip((("colours", 0.1, 0.6), ("neighbours", 5.0, 0.4)), rights, strict=True):
        guesses = predictions.labels.copy()
        wrong = np.random.default_rng(7).permutation(len(guesses))[round(right * len(guesses)) :]
        guesses[wrong] = (guesses[wrong] + 1) % 3
        found[Baseline(kind, setting, val, right, 200, len(guesses), True, 1.0)] = np.eye(3, dtype=np.float32)[guesses]
    hashes = store.manifest().hash, store.split().hash
    stores.write_baselines(store, *hashes, stores.packed_baselines(predictions.photos, predictions.labels, found))
    return store


def test_an_arm_is_held_against_the_better_baseline_on_the_same_photos(tmp_path):
    arms = {"a": (0.90, 0.92, 0.88), "b": (0.61, 0.57, 0.60), "c": (0.35, 0.36, 0.33)}
    store = with_baselines(tmp_path, arms, (0.6, 0.99))
    results = stats.summarize(store)
    assert [item.kind for item in results.baselines] == ["colours", "neighbours"]
    a, b, c = results.beside_baselines
    assert {found.baseline.kind for found in (a, b, c)} == {"colours"}  # by the validation part, not by the test part
    assert a.difference.value == pytest.approx(0.3)
    assert (a.beside, b.beside, c.beside) == ("above", "not shown", "below")
    assert said.beside(a) is None
    assert said.beside(b).startswith(
        "b is not significantly better than logistic regression on colours (60.0 %): the difference is -0.7 points"
    )
    assert said.beside(c).startswith("c is below logistic regression on colours (60.0 %) by 25.3 points (95 %")
    assert said.beside(c).endswith("That baseline uses colours only, no shapes.")
    text = report.write(store).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for sentence in (said.beside(b), said.beside(c), "5 nearest neighbours", said.caption(results.baselines, 200)):
        assert sentence in text


def test_one_run_is_compared_without_an_interval(tmp_path):
    results = stats.summarize(with_baselines(tmp_path, {"a": (0.5,), "b": (0.7,)}, (0.6, 0.4)))
    a, b = results.beside_baselines
    assert (a.beside, b.beside) == ("one run", "one run")
    assert said.beside(a) == "a is no better than logistic regression on colours (60.0 %) in its one run."
    assert said.beside(b) is None


def test_an_interval_of_a_hundred_points_is_not_printed(tmp_path):
    results = stats.summarize(with_baselines(tmp_path, {"a": (0.2, 0.7), "b": (0.3, 0.8)}, (0.6, 0.4)))
    a, _b = results.beside_baselines
    assert a.difference.high - a.difference.low > 0.5
    assert said.beside(a) == (
        "a is not significantly better than logistic regression on colours (60.0 %): the difference is -15.0 "
        "points, with too little data for a useful interval."
    )


def test_a_study_made_before_there_were_baselines_is_reported_as_before(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.6)})
    results = stats.summarize(store)
    assert (results.baselines, results.beside_baselines) == ((), ())
    report.write(store)


@pytest.mark.soak
def test_where_colour_alone_tells_the_classes_an_untrained_network_is_called_worse(study_file, tmp_path, commongarden):
    """The photos' classes differ in their brightest channel alone; a learning rate of 1e-7 teaches nothing."""
    arguments = ("run", study_file, "--out", tmp_path / "out", "--seeds", 3, "--epochs", 1, "--lr", "1e-7")
    commongarden(*arguments, check=0)
    table = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    colours, _ = table["baselines"]
    assert (colours["kind"], colours["test_accuracy"]) == ("colours", 1.0)
    assert any(note.startswith("plain is below logistic regression on colours (100.0 %)") for note in table["notes"])

    (kept,) = (tmp_path / "out" / "baselines").iterdir()
    before = kept.read_bytes(), kept.stat().st_mtime_ns
    again = commongarden(*arguments, check=0)
    assert "baselines" not in again.stderr
    assert (kept.read_bytes(), kept.stat().st_mtime_ns) == before
    assert "logistic regression on colours" in commongarden("compare", tmp_path / "out", check=0).stdout


def test_of_two_lines_that_an_arm_is_not_above_the_harder_one_is_told(tmp_path):
    results = stats.summarize(with_baselines(tmp_path, {"a": (0.40, 0.62, 0.40), "b": (0.2, 0.2, 0.2)}, (0.6, 0.4)))
    a, b = results.arms
    assert a.beats_commonest is False  # its three seeds lie far apart
    notes = words.notes(results)
    assert sum(note.startswith("a is") for note in notes) == 1
    assert [note for note in notes if note.startswith("a is")] == [said.beside(results.beside_baselines[0])]
    assert words.beside_commonest(b, results.commonest) in notes  # below even that line
