"""The same histories at equal epochs, equal time and equal multiply-adds."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from commongarden import report, stats
from commongarden.report.topics import budgets as said
from commongarden.stats import budgets
from commongarden.stats.budgets import BUDGETS, Track, mean_of, view
from commongarden.stats.crossed import crossed_difference
from grown import grown


def way(accuracies, seconds=1.0, macs=1.0):
    n = len(accuracies)
    return Track(tuple(accuracies), *(tuple(each * i for i in range(1, n + 1)) for each in (seconds, macs)))


ways = st.builds(
    way,
    st.lists(st.integers(0, 50).map(lambda n: n / 50), min_size=1, max_size=8),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.sampled_from([1.0, 2.0]),
)


@given(st.lists(st.tuples(ways, ways), min_size=1, max_size=4), st.sampled_from(BUDGETS))
def test_a_view_reads_the_last_epoch_that_was_over_and_nothing_beyond(pairs, budget):
    found = view(budget, pairs, 50, 0.3, 100)
    spent = {"epochs": lambda t: np.arange(1, len(t.val_accuracy) + 1), "seconds": lambda t: np.array(t.seconds)}
    spent["macs"] = lambda t: np.array(t.macs)
    assert found.at == min(spent[budget](t).max() for pair in pairs for t in pair)
    over = [[int((spent[budget](t) <= found.at).sum()) for t in pair] for pair in pairs]
    assert found.arm_epochs == pytest.approx(np.mean([pair[0] for pair in over]))
    if min(min(pair) for pair in over) == 0:
        assert (found.difference, found.outcome) == (None, "too short")
        return
    values = [a.val_accuracy[i - 1] - b.val_accuracy[j - 1] for (a, b), (i, j) in zip(pairs, over, strict=True)]
    assert found.difference.value == pytest.approx(np.mean(values))
    assert (found.difference.low is None) == (len(pairs) == 1)


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_on_the_test_part_itself_the_interval_is_the_crossed_one(seed, n_seeds):
    """Reading off needs accuracies and one variance only; on the same photos that is no approximation."""
    generator = np.random.default_rng(seed)
    table = generator.integers(-1, 2, (n_seeds, 60)).astype(float) + (generator.normal(0, 1, 60) > 1)
    whole = crossed_difference(table)
    ours = mean_of(table.mean(axis=1), 60, whole.components.photo, 60)
    assert ours.value == pytest.approx(whole.value)
    if whole.error > 1 / 60:  # above the floor of either
        assert ours.error == pytest.approx(whole.error, rel=1e-6) or table.mean(axis=1).std(ddof=1) < 0.01


def test_without_noise_of_photos_it_is_students_interval():
    values = [0.02, 0.05, 0.11]
    ours = mean_of(values, 200, 0.0, 500).interval()
    low, high = reference.t.interval(0.95, 2, np.mean(values), reference.sem(values))
    assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))
    wider = mean_of(values, 200, 0.6, 500).interval()
    assert wider.high - wider.low > 0.04
    agreeing = mean_of([0.03, 0.03], 100, 0.0, 500).interval()  # equal by rounding alone
    assert agreeing.low < 0.03 < agreeing.high


def test_a_verdict_can_hang_on_the_budget():
    """The slow arm is better by the epoch and worse by the clock."""
    slow = [way([0.4 + 0.01 * i, 0.7 + 0.01 * i, 0.8 + 0.01 * i], seconds=3) for i in range(4)]
    fast = [way([0.3 + 0.01 * i, 0.6, 0.7], seconds=1) for i in range(4)]
    pairs = list(zip(slow, fast, strict=True))
    found = {budget: view(budget, pairs, 400, 0.2, 600) for budget in BUDGETS}
    assert found["epochs"].difference.value == pytest.approx(0.115)
    assert found["seconds"].difference.value == pytest.approx(0.415 - 0.7)
    assert (found["seconds"].at, found["seconds"].arm_epochs, found["seconds"].against_epochs) == (3, 1, 3)
    assert [found[budget].outcome for budget in BUDGETS] == ["better", "worse", "better"]
    views = stats.BudgetViews("slow", "fast", tuple(found.values()))
    assert not views.agree
    assert said.verdict(views, found["seconds"]).startswith(
        "At equal time (3.00 s) slow is behind fast by 28.5 points (95 % CI "
    )
    assert said.verdict(views, found["epochs"]).startswith("At equal epochs (3 epochs) slow is ahead of fast by 11.5")


def test_an_arm_that_had_not_ended_an_epoch_is_not_compared():
    found = view("seconds", [(way([0.5], seconds=9), way([0.4, 0.5]))], 50, 0.0, 50)
    assert (found.outcome, found.at, found.difference) == ("too short", 2.0, None)
    views = stats.BudgetViews("a", "b", (found,))
    assert said.verdict(views, found) == (
        "At equal time (2.00 s) a and b cannot be compared: one of their runs had not finished an epoch."
    )


def test_folds_take_the_interval_of_folds():
    pairs = [(way([0.5 + x]), way([0.4])) for x in (0.0, 0.02, 0.05)]
    found = view("epochs", pairs, 50, 0.3, 50, n_train=100)
    spread = np.std([0.1, 0.12, 0.15], ddof=1) * np.sqrt(1 / 3 + 50 / 100)
    assert found.difference.high - found.difference.value == pytest.approx(reference.t.ppf(0.975, 2) * spread)


def test_the_report_shows_every_contrast_at_the_three_budgets(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.52, 0.54), "b": (0.6, 0.62, 0.66), "c": (0.7,)})
    results = stats.summarize(store)
    assert [(item.arm, item.against) for item in results.budgets] == [("b", "a"), ("c", "a"), ("c", "b")]
    b_a, c_a, _ = results.budgets
    assert [one.budget for one in b_a.views] == ["epochs", "seconds", "macs"]
    run, history = store.run("a", 0), store.history("a", 0)
    assert b_a.views[0].at == 4
    assert b_a.views[1].at == pytest.approx(sum(epoch.seconds for epoch in history))  # the faster arm's whole time
    assert b_a.views[1].against_epochs == 4 > b_a.views[1].arm_epochs
    each = min(run.macs, store.run("b", 0).macs)
    assert b_a.views[2].at == pytest.approx(4.0 * each * run.n_train)
    assert {one.outcome for one in c_a.views} == {"one seed"}
    text = report.write(store).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert "Equal budgets" in text
    assert "not adjusted for multiple comparisons" in text
    for _names, *cells in said.rows(results):
        for cell in cells:
            assert cell.smaller[-1] in text


def test_a_study_without_a_pair_has_no_such_section(tmp_path):
    store = grown(tmp_path, {"a": (0.5,), "b": ()})
    assert stats.summarize(store).budgets == ()
    assert 'id="equal_budgets"' not in report.write(store).read_text(encoding="utf-8")


def test_where_the_budgets_agree_one_sentence_says_so(tmp_path):
    results = stats.summarize(grown(tmp_path, {"a": (0.3, 0.3, 0.3), "b": (0.9, 0.9, 0.9)}))
    agreeing = tuple(dataclasses.replace(item, views=item.views[:1] * 3) for item in results.budgets)
    assert said.summary(dataclasses.replace(results, budgets=agreeing)) == [
        "All comparisons have the same result at all three budgets."
    ]
    assert tuple(said.SHAPES) == budgets.BUDGETS
