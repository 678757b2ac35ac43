"""Times, rates and sizes cannot be negative, and neither can their intervals: on the log scale, as scipy has it."""

import csv
import json
import math
import shutil
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from commongarden import stats
from commongarden import store as stores
from commongarden.explain import training
from commongarden.stats import geometric_mean_interval
from commongarden.stats.medians import median_interval

positive = st.floats(1e-9, 1e9)


@given(st.lists(positive, min_size=2, max_size=9), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_that_of_the_logarithms(values, confidence):
    found = geometric_mean_interval(values, confidence=confidence)
    logs = np.log(values)
    error = scipy_stats.sem(logs)
    assert found.value == pytest.approx(scipy_stats.gmean(values))
    assert 0 <= found.low <= found.value * (1 + 1e-12)
    assert found.value <= found.high * (1 + 1e-12)
    assert math.isfinite(found.high)
    assume(error > 1e-9)
    low, high = scipy_stats.t.interval(confidence, len(values) - 1, loc=np.mean(logs), scale=error)
    assert math.log(found.low) == pytest.approx(low) if low > -700 else found.low < 1e-300
    assert math.log(found.high) == pytest.approx(min(high, math.log(1.7e308)), rel=1e-3)
    assert found.n == len(values)
    assert found.method == f"geometric mean, Student t of logarithms, {confidence:.0%} over seeds"


@given(st.lists(positive, min_size=2, max_size=9), st.floats(1e-3, 1e3))
def test_the_interval_does_not_depend_on_the_unit(values, unit):
    one, other = geometric_mean_interval(values), geometric_mean_interval([unit * value for value in values])
    for a, b in ((one.value, other.value), (one.low, other.low), (one.high, other.high)):
        if 1e-290 < a < 1e290:
            assert b == pytest.approx(unit * a)


def test_one_value_has_no_interval():
    found = geometric_mean_interval([3.5])
    assert (found.value, found.low, found.high, found.n) == (3.5, None, None, 1)


@pytest.mark.parametrize("values", [[0.0], [0.0, 1.0, 2.0], [0.0, 0.0]])
def test_a_zero_has_no_logarithm_and_the_mean_no_interval(values):
    found = geometric_mean_interval(values)
    assert (found.value, found.low, found.high) == (np.mean(values), None, None)
    assert "not positive" in found.method


def test_the_interval_covers_as_often_as_it_says():
    """Times with a spread of half their size: 95 % of the intervals hold the true geometric mean."""
    generator = np.random.default_rng(0)
    hits = 0
    for row in np.exp(generator.normal(math.log(20), 0.5, (2000, 4))):
        found = geometric_mean_interval(list(row))
        hits += found.low <= 20 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_medians_of_what_is_not_negative_have_no_negative_interval(values):
    found = median_interval(values)
    assert found.low is None or found.low >= 0


@pytest.fixture(scope="module")
def uneven(finished, tmp_path_factory):
    """The small study as a busy machine might have left it: one run of each arm took a hundred times as long."""
    folder = tmp_path_factory.mktemp("uneven") / "small"
    shutil.copytree(finished, folder)
    store = stores.open_store(folder)
    for run in store.runs():
        if run.seed == 1:
            path = folder / "runs" / run.arm / "1" / "run.json"
            record = json.loads(path.read_text(encoding="utf-8"))
            record["inference_ms"] *= 100
            path.write_text(json.dumps(record), encoding="utf-8")
            path = folder / "runs" / run.arm / "1" / "history.csv"
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(
                    row | {"seconds_forward_backward": 100 * float(row["seconds_forward_backward"])} for row in rows
                )
            (path.parent / "checksums.sha256").unlink()
    return folder


def test_no_figure_of_a_study_has_a_negative_end(uneven, commongarden):
    results = stats.summarize(stores.open_store(uneven))
    for arm in results.arms:
        for one in (arm.seconds, arm.images_per_second, arm.inference_ms, arm.peak_memory_mb):
            assert one.low > 0
            assert "logarithms" in one.method
        assert arm.inference_ms.high / arm.inference_ms.low > 1000  # the old interval began below zero
    commongarden("report", uneven, "--format", "html", "--format", "md", check=0)
    with (uneven / "results.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name.endswith("_low") and "difference" not in name and value:
                    assert float(value) >= 0, name
    kept = json.loads((uneven / "results.json").read_text(encoding="utf-8"))
    for arm in kept["arms"]:
        for name in ("seconds", "images_per_second", "inference_ms", "peak_memory_mb"):
            assert arm[name]["low"] > 0
    compared = commongarden("compare", uneven, "--json", check=0)
    assert msgspec.json.decode(compared.stdout)["arms"][0]["inference_ms"]["low"] > 0


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=9))
def test_a_share_and_its_interval_are_possible_ones(values):
    """One estimate of a share may lie outside of 0 to 1 (a dot product over a square does), their mean may not."""
    found = stats.mean_interval(values, bounds=(0.0, 1.0))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_noise_of_gradients_is_a_share():
    """Of what batches share of their gradient, estimates of single epochs are often negative."""
    epochs = 8
    signals = SimpleNamespace(square=np.ones(epochs), product=np.array([0.03, -0.03, 0.02, -0.04] * 2))
    history = [SimpleNamespace(train_loss=1.6)] * 2 * epochs
    run = SimpleNamespace(recipe=SimpleNamespace(batch_size=32))
    (found,) = training._noisy("a", [SimpleNamespace(run=run, history=history, signals=signals)])
    assert (found.value.value, found.value.low) == (0.0, 0.0)
    assert 0 < found.value.high < 0.1
