"""Which arms are on the front of accuracy against cost, by their means and by their intervals."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commongarden import stats
from commongarden.records import Estimate
from commongarden.report.topics import pareto
from commongarden.stats.pareto import COSTS, Dominated, front
from grown import grown


class Arm:
    """Of an arm's result, what the front reads."""

    def __init__(self, arm, accuracy, seconds, half=0.0):
        self.arm = arm
        self.test_accuracy = Estimate(accuracy, accuracy - half, accuracy + half, 3, "")
        self.seconds = Estimate(seconds, seconds - 100 * half, seconds + 100 * half, 3, "")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=2, max_size=12))
def test_the_front_is_the_definition(points):
    """On the front: nobody is as accurate and as cheap, and better in one of the two."""
    found = front([Arm(str(i), accuracy / 20, cost) for i, (accuracy, cost) in enumerate(points)], "seconds")
    beaten = {
        str(i)
        for i, (accuracy, cost) in enumerate(points)
        for other, spent in points
        if (other >= accuracy and spent <= cost) and (other, spent) != (accuracy, cost)
    }
    assert set(found.arms) == {str(i) for i in range(len(points))} - beaten
    assert {item.arm for item in found.dominated} == beaten
    assert all(item.by not in beaten for item in found.dominated)


def test_dominated_surely_only_where_the_verdict_says_so_and_the_costs_do_not_overlap():
    arms, worse = [Arm("good", 0.8, 10), Arm("bad", 0.7, 20)], {("bad", "good")}
    assert front(arms, "seconds", worse).dominated == (Dominated("bad", "good", True),)
    assert front(arms, "seconds").dominated == (Dominated("bad", "good", False),), "no verdict of this pair"
    near = [Arm("good", 0.8, 10, half=0.06), Arm("bad", 0.7, 20, half=0.06)]
    assert front(near, "seconds", worse).dominated == (Dominated("bad", "good", False),)
    arms[0].seconds = Estimate(10, None, None, 1, "")
    assert front(arms, "seconds", worse).dominated[0].surely is False


def test_an_arm_that_is_beaten_surely_by_any_is_said_to_be():
    arms = [Arm("far", 0.9, 15), Arm("near", 0.71, 10), Arm("bad", 0.7, 20)]
    assert front(arms, "seconds", {("bad", "near")}).dominated == (Dominated("bad", "near", True),)


def test_one_arm_has_no_front():
    assert front([Arm("alone", 0.8, 10)], "seconds") is None


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("pareto")
    return stats.summarize(
        grown(root, {"plain": (0.5, 0.52, 0.51), "residual": (0.8, 0.82, 0.81), "slow": (0.2, 0.22, 0.21)})
    )


def test_the_report_says_who_is_on_the_front(results):
    charts = pareto.fronts(results)
    assert [chart.name for chart, _ in charts] == [f"front_{cost}" for cost in COSTS]
    said = {chart.name: said for chart, said in charts}
    assert said["front_seconds"][0] == "By the means, most accurate for its training time: plain and residual."
    assert said["front_inference_ms"][0] == "By the means, most accurate for its inference time: plain and residual."
    assert said["front_inference_ms"][1].startswith("slow is significantly less accurate than")
    assert "exploratory" in said["front_inference_ms"][1]


def test_the_cost_section_claims_no_more_than_the_verdicts(results):
    """Without a significant comparison no model is said to be less accurate, however far apart the intervals are."""
    open_ones = tuple(dataclasses.replace(one, outcome="not resolved") for one in results.contrasts)
    said = [text for _, texts in pareto.fronts(dataclasses.replace(results, contrasts=open_ones)) for text in texts]
    assert said
    assert not any("less accurate" in text for text in said)
