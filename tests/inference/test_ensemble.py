"""A study's trained models at work: the ensemble of a model's runs, one run, and a new labelled folder."""

import json
import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

import commongarden as cg
from commongarden import stats
from commongarden import store as stores
from commongarden.errors import DataError, StoreError


@pytest.fixture(scope="module")
def store(finished):
    return stores.open_store(finished)


@pytest.fixture(scope="module")
def tested(store, photos, tmp_path_factory):
    """The study's own test photos as a labelled folder, and the probabilities that its runs stored for them."""
    folder = tmp_path_factory.mktemp("tested")
    for path in store.split().test:
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(photos / path, folder / path)
    return folder


def best_of(store):
    return stats.summarize(store).standings[0].arm


def test_a_study_predicts_by_the_mean_of_its_best_models_runs(store, photos):
    network = cg.load(store.root)
    assert network.run.arm == best_of(store)
    assert [member.run.seed for member in network.members] == [0, 1]
    paths = store.split().test
    pixels = torch.cat([network.preprocess(photos / path) for path in paths])
    with torch.inference_mode():
        found = network(pixels).softmax(1).numpy()
    stored = [store.predictions(network.run.arm, seed) for seed in (0, 1)]
    for run in stored:
        assert run.photos.tolist() == [*paths]
    np.testing.assert_allclose(found, np.mean([run.probabilities for run in stored], axis=0), atol=1e-5)
    one = cg.load(store.root, model="plain", seed=1)
    assert (one.run.arm, one.run.seed, isinstance(one, cg.Predictor)) == ("plain", 1, True)
    predictions = cg.predict(network, [photos / paths[0], photos / "daisy"], top=2)
    assert isinstance(predictions, list)
    assert len(predictions) == 21
    assert predictions[0].top[0][1] == pytest.approx(float(found[0].max()), abs=1e-5)


def test_a_new_folder_is_measured_as_scikit_learn_does(store, tested):
    found = cg.evaluate(store.root, str(tested), model="residual")
    stored = [store.predictions("residual", seed) for seed in (0, 1)]
    order = np.argsort(stored[0].photos)
    labels = stored[0].labels[order]
    together = np.mean([run.probabilities for run in stored], axis=0)[order].argmax(1)
    assert found.n == len(labels)
    assert found.accuracy.value == accuracy_score(labels, together)
    low, high = proportion_confint(int((labels == together).sum()), len(labels), method="wilson")
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((low, high))
    assert (found.confusion == confusion_matrix(labels, together, labels=range(3))).all()
    theirs = precision_recall_fscore_support(labels, together, labels=range(3), zero_division=0)
    ours = [(one.precision or 0, one.recall or 0, one.f1 or 0, one.n) for one in found.classes]
    np.testing.assert_allclose(np.array(ours).T, np.array(theirs))
    arm = next(arm for arm in stats.summarize(store).arms if arm.arm == "residual")
    assert (found.single.value, found.single.low, found.single.high) == pytest.approx(
        (arm.test_accuracy.value, arm.test_accuracy.low, arm.test_accuracy.high)
    )
    assert found.known == 0


def test_a_class_without_images_has_no_figures(commongarden, store, photos, tmp_path):
    """A share of nothing is not 0 %."""
    for name in ("daisy", "rose"):
        shutil.copytree(photos / name, tmp_path / "two" / name)
    found = cg.evaluate(store.root, str(tmp_path / "two"), model="plain")
    tulip = next(one for one in found.classes if one.label == "tulip")
    assert (tulip.n, tulip.precision, tulip.recall, tulip.f1) == (0, None, None, None)
    shown = commongarden("evaluate", store.root, tmp_path / "two", "--model", "plain", check=0).stdout
    (row,) = (line for line in shown.splitlines() if line.startswith("tulip"))
    assert row.split() == ["tulip", "no", "images", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}"]


def test_images_that_it_was_trained_on_are_counted(store, photos):
    found = cg.evaluate(store.root, str(photos), model="plain", seed=0)
    split = store.split()
    assert (found.known, found.n) == (len(split.train) + len(split.val), 60)
    assert found.single is None


def test_what_cannot_be_measured_is_refused(store, photos, tmp_path):
    for name in ("daisy", "orchid"):
        shutil.copytree(photos / "daisy", tmp_path / name)
    with pytest.raises(DataError, match=r"classes orchid; accepted: those of the study \(daisy, rose, tulip\)"):
        cg.evaluate(store.root, str(tmp_path))
    with pytest.raises(StoreError, match="unknown model 'residal'; did you mean 'residual'"):
        cg.load(store.root, model="residal")
    with pytest.raises(StoreError, match="plain has no finished run with this seed; finished: 0, 1"):
        cg.load(store.root, model="plain", seed=7)
    with pytest.raises(StoreError, match=r"no study\.toml and no run\.json; accepted: the folder of a study, or of"):
        cg.load(photos)


def test_the_commands(commongarden, store, tested, photos):
    found = json.loads(commongarden("best", store.root, "--json", check=0).stdout)
    assert found["model"] == best_of(store)
    said = commongarden("best", store.root, check=0).stdout
    assert found["model"] in said.splitlines()[0]
    assert f"commongarden predict {store.root} IMAGE..." in said
    assert f"--out {store.root} --seeds 5" in said  # two seeds are too few to plan with
    rows = commongarden("predict", store.root, photos / "rose", "--top", 1, check=0).stdout.splitlines()
    assert len(rows) == 21
    told = commongarden("evaluate", store.root, tested, "--model", "plain", check=0)
    assert told.stdout.startswith("plain (2 runs together): accuracy ")
    assert "most often confused with" in told.stdout
    assert "training or validation set" not in told.stderr
    table = json.loads(commongarden("evaluate", store.root, photos, "--json", check=0).stdout)
    assert table["known"] > 0
    assert np.sum(table["confusion"]) == 60
