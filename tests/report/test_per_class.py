"""Per class and by confidence: figures as scikit-learn gives them, bars of the data, the learning rate, heat maps."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_fscore_support

from commongarden import stats
from commongarden.records import Epoch
from commongarden.report.charts import classes, curves
from commongarden.report.document import Fold, Plot, Table, html
from commongarden.report.topics import page_data, per_class, setup, why
from grown import grown


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("classes") / "study", {"plain": (0.6, 0.64), "residual": (0.8, 0.78)})


@pytest.fixture(scope="module")
def predictions(store):
    return page_data.all_predictions(store, store.runs())


def test_precision_recall_and_f1_are_those_of_scikit_learn(store, predictions):
    blocks = per_class.blocks(stats.summarize(store), predictions)
    (table,) = (block for fold in blocks if isinstance(fold, Fold) for block in fold.blocks if isinstance(block, Table))
    for arm in ("plain", "residual"):
        mine = [found for run, found in predictions if run.arm == arm]
        labels = np.concatenate([found.labels for found in mine])
        called = np.concatenate([found.probabilities.argmax(axis=1) for found in mine])
        figures = np.array(precision_recall_fscore_support(labels, called)[:3]).T
        shown = [[float(value) for value in row[2:5]] for row in table.rows if row[0].text == arm]
        assert np.abs(100 * figures - shown).max() <= 0.0501


def test_the_reliability_diagram_is_that_of_scikit_learn(predictions):
    rng = np.random.default_rng(0)
    made = dataclasses.replace(predictions[0][1])
    probabilities = rng.dirichlet((0.5, 0.5, 0.5), len(made.labels)).astype(np.float32)
    made = dataclasses.replace(made, probabilities=probabilities)
    rows = classes._bins([made])
    right = probabilities.argmax(axis=1) == made.labels
    share, stated = calibration_curve(right, probabilities.max(axis=1), n_bins=10)
    assert [row["value"] for row in rows] == pytest.approx(list(100 * share))
    assert [row["stated"] for row in rows] == pytest.approx(list(100 * stated), rel=1e-5)
    assert sum(row["n"] for row in rows) == len(made.labels)


def test_the_data_are_shown_as_bars(store):
    section = setup.section(store, store.study(), store.manifest(), store.split())
    (chart,) = (chart for chart in html.charts(section.blocks) if chart.name == "class_counts")
    ((_name, rows),) = chart.spec["datasets"].items()
    assert sum(row["n"] for row in rows) == len(store.manifest().photos)
    assert classes.counts({"train": {str(i): 1 for i in range(100)}}) is None


def test_a_learning_rate_that_changes_has_a_curve():
    epochs = [Epoch(i, 1.0, 0.5, 1.0, 0.5, rate, 0.1, 1.0, 0.2, 0.1) for i, rate in enumerate((1e-3, 5e-4, 1e-5), 1)]
    chart = curves.learning_rate({"a": {0: epochs, 1: epochs}})
    ((_name, rows),) = chart.spec["datasets"].items()
    assert [row["value"] for row in rows] == [1e-3, 5e-4, 1e-5]
    constant = [dataclasses.replace(epoch, lr=1e-3) for epoch in epochs]
    assert curves.learning_rate({"a": {0: constant}}) is None


def test_heat_maps_name_their_layers_and_have_a_scale():
    table = (
        [1, 2],
        ["plain / conv 'a' \"b\"", "plain / stage 1 / block 2 / conv 3x3"],
        np.array([[1.0, 2.0], [3.0, 100.0]]),
    )
    chart = why._chart("map_activation_0", "plain", "activation", table, (1.0, 100.0))
    expression = chart.spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    names, _end, _index = expression.rpartition("[")
    assert json.loads(names) == ["conv 'a' \"b\"", "s1/b2/conv 3x3"]
    scale = why._scale("activation", 1.0, 100.0).spec["layer"][0]["encoding"]["x"]["scale"]
    assert scale == {"domain": [1.0, 100.0], "nice": False, "type": "log"}


def test_the_diagram_is_on_the_page(store, predictions):
    blocks = per_class.blocks(stats.summarize(store), predictions)
    assert [chart.name for chart in html.charts(blocks)] == ["reliability"]
    assert not per_class.blocks(stats.summarize(store), [])
    assert all(isinstance(block, Plot) is False for block in blocks), "the diagram is no wider than half of the page"
