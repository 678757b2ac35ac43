"""Charts of accuracy against cost: axes that fit the points, names beside them, something to hover on."""

import json
import re

import pytest

from chromium import DESKTOP, PHONE, Visit
from commongarden import report, stats
from commongarden.report.charts import costs
from commongarden.report.topics import pareto
from grown import grown

ARMS = {"plain": (0.61, 0.62, 0.63), "residual": (0.71, 0.73, 0.72), "bottleneck": (0.66, 0.67, 0.65)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("costs") / "study", ARMS)


@pytest.fixture(scope="module")
def charts(store):
    return {chart.name: chart.spec for chart, _said in pareto.fronts(stats.summarize(store))}


def scales(spec, axis):
    return [layer["encoding"][axis]["scale"] for layer in spec["layer"] if axis in layer["encoding"]]


def test_time_parameters_and_macs_have_log_axes_and_memory_says_what_it_holds(charts):
    assert set(charts) == {
        f"front_{cost}" for cost in ("seconds", "inference_ms", "n_params", "macs", "peak_memory_mb")
    }
    for name, spec in charts.items():
        kinds = {scale["type"] for scale in scales(spec, "x")}
        assert kinds == {"linear" if name == "front_peak_memory_mb" else "log"}
    title = charts["front_peak_memory_mb"]["layer"][0]["encoding"]["x"]["title"]
    assert title == "peak memory of training, MB, PyTorch included"


def test_the_axis_of_accuracy_fits_the_points(charts):
    for spec in charts.values():
        (low, high), *_others = {tuple(scale["domain"]) for scale in scales(spec, "y")}
        assert 45 < low < 61, "the line of the commonest class, 34 %, lies far below the points"
        assert 73 < high < 90


def test_every_axis_has_round_numbers_on_it(charts):
    for spec in charts.values():
        axis = spec["layer"][0]["encoding"]["x"]["axis"]
        assert 2 <= len(axis["values"]) <= 7
        assert all(len(f"{value:f}".replace(".", "").strip("0")) <= 3 for value in axis["values"])


def test_points_and_intervals_can_be_hovered(charts):
    for spec in charts.values():
        for layer in spec["layer"]:
            if layer["mark"]["type"] == "point" or "y2" in layer["encoding"] or "x2" in layer["encoding"]:
                assert [item["field"] for item in layer["encoding"]["tooltip"]] == ["arm", "said", "spent"]


def test_a_count_that_is_the_same_for_all_has_no_chart(tmp_path):
    from commongarden.study import Arm

    arms = {"slow": Arm("plain_flower", {}, {"lr": 0.01}), "fast": Arm("plain_flower", {}, {"lr": 0.1})}
    results = stats.summarize(grown(tmp_path / "study", {"slow": (0.5, 0.6), "fast": (0.6, 0.7)}, arms=arms))
    assert [chart.name for chart, _said in pareto.fronts(results)] == [
        "front_seconds", "front_inference_ms", "front_peak_memory_mb",
    ]  # fmt: skip


def test_intervals_of_two_seeds_do_not_stretch_the_axes():
    row = {"said": "", "spent": "", "value": 50.0, "low": 0.0, "high": 100.0, "least": 0.001, "most": 1e6}
    made = costs.chart(
        "front_seconds", [{**row, "arm": "a", "cost": 10.0}, {**row, "arm": "b", "cost": 12.0, "value": 55.0}],
        ["a", "b"], ["a"], "s", 20.0, logarithmic=True,
    )  # fmt: skip
    (low, high) = scales(made.spec, "x")[0]["domain"]
    assert 2 < low < 10
    assert 12 < high < 60
    bottom, top = scales(made.spec, "y")[0]["domain"]
    assert bottom > 30
    assert top < 75


OVERLAP = """() => [...document.querySelectorAll('[id^=front_]')].flatMap(chart => {
    const texts = [...chart.querySelectorAll('.mark-text.role-mark text')].filter(text => !text.getAttribute('stroke'));
    const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
    return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([two, b]) =>
        a.left + 3 < b.right && b.left + 3 < a.right && a.top + 4 < b.bottom && b.top + 4 < a.bottom
    ).map(([two]) => `${chart.id}: ${one}, ${two}`));
})"""


@pytest.mark.parametrize("viewport", [PHONE, pytest.param(DESKTOP, marks=pytest.mark.soak)], ids=["phone", "desktop"])
def test_names_stand_beside_their_points_and_not_on_each_other(browser, tmp_path, viewport):
    arms = {f"network_{i}": (0.5 + 0.02 * i, 0.52 + 0.02 * i, 0.51 + 0.03 * i) for i in range(9)}
    arms["a_network_whose_name_is_about_as_long_as_the_sixty_four_letters"] = (0.4, 0.6, 0.3)
    with Visit(browser, report.write(grown(tmp_path / "study", arms)), viewport) as visit:
        names = visit.page.eval_on_selector_all(
            "#front_seconds .mark-text.role-mark text", "all => [...new Set(all.map(text => text.textContent))]"
        )
        assert len([name for name in names if re.match(r"network_\d$|a_net", name)]) >= 6, json.dumps(names)
        assert visit.page.evaluate(OVERLAP) == []
        assert visit.complaints == []
