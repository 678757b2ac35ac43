"""The simulation of the demo beside the power that statsmodels gives."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

SCRIPT = Path(__file__).parents[2] / "scripts" / "demo_power.py"
SPEC = importlib.util.spec_from_file_location("demo_power", SCRIPT)
demo_power = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(demo_power)


def contrasts(difference, seed, n=10, between=0.0):
    """Of n studies without image and rest variance, in which the test is a plain t test over five seeds."""
    rng = np.random.default_rng(0)
    means = rng.normal(difference, between, n) if between else np.full(n, difference)
    return [
        {
            "difference": {"value": float(mean), "n": 5},
            "components": {"seed": seed, "photo": 0.0, "rest": 0.0},
            "family": 1,
        }
        for mean in means
    ]


@pytest.mark.parametrize("difference", [0.0, 0.02, 0.05])
def test_the_share_found_is_the_power_of_the_t_test(difference, monkeypatch):
    monkeypatch.setattr(demo_power.MeanSquares, "df", lambda self: 4.0)  # without the caution of few seeds
    found = demo_power.share_found(contrasts(difference, 0.02), 1000, 20_000, np.random.default_rng(1))
    shift = difference / (0.02 / 5**0.5)
    critical = stats.t.ppf(1 - demo_power.P / 2, 4)
    power = stats.nct.sf(critical, 4, shift) + stats.nct.cdf(-critical, 4, shift)
    assert found == pytest.approx(power, abs=0.012)


def test_what_differs_between_studies_counts():
    steady = demo_power.share_found(contrasts(0.05, 0.01), 1000, 5000, np.random.default_rng(1))
    varied = demo_power.share_found(contrasts(0.05, 0.01, between=0.05), 1000, 5000, np.random.default_rng(1))
    assert varied < steady - 0.1
