"""What a raced study's folder keeps, and how its verdicts follow from it."""

import dataclasses

import pytest

from commongarden import stats
from commongarden import store as stores
from commongarden.errors import StoreError
from commongarden.records import Failure
from commongarden.report import verdict
from commongarden.report.topics import race
from commongarden.stats import raced, racing
from grown import grown

FAR = {"a": (0.60, 0.62, 0.58, 0.61, 0.59, 0.60), "b": (0.95, 0.96, 0.94, 0.95, 0.97, 0.70)}


def finish(store, most, margin=0.01, end="resolved"):
    """The record of a race over all that the store holds."""
    study = store.study()
    found = raced.replay(study, store, racing.RacePlan(most, margin), tuple(range(most)))
    n = len(store.runs())
    kept = raced.Raced(raced.SCHEMA, found, end, "", float(n), None, n, len(study.arms) * most)
    raced.write(store, kept)
    return kept


def test_the_record_is_read_as_it_was_written(tmp_path):
    store = grown(tmp_path, FAR)
    assert raced.read(store) is None
    kept = finish(store, 6)
    assert raced.read(store) == kept
    stores.keep(tmp_path, "racing.json", b"{")
    with pytest.raises(StoreError, match="not the record of a race"):
        raced.read(store)


def test_a_raced_contrast_is_judged_at_the_look_that_settled_it(tmp_path):
    store = grown(tmp_path, FAR)
    (fixed,) = stats.summarize(store).contrasts
    assert fixed.difference.n == 6
    kept = finish(store, 6)
    last = kept.race.last_looks["b", "a"][0]
    (found,) = stats.summarize(store).contrasts
    assert (found.outcome, last.decision) == ("better", "better")
    assert found.difference.n == last.n < 6  # the poor last seed came after the decision
    assert found.level == last.level < 0.05
    assert (found.adjusted.low, found.adjusted.high) == pytest.approx((last.low, last.high))
    assert found.adjusted.low > 0
    assert f"{last.n} seeds" in verdict(found)
    _caption, table, *_told = race.section(store).blocks
    said, interval, _level = table.rows[0]
    assert said == f"b against a was settled after {last.n} seeds: b is better."
    assert interval.endswith(f"({100 * last.low:.1f} to {100 * last.high:.1f})")


def test_an_open_contrast_is_not_resolved(tmp_path):
    store = grown(tmp_path, {"a": (0.60, 0.70, 0.58), "b": (0.62, 0.60, 0.68)})
    kept = finish(store, 8, end="budget")
    assert kept.race.needed == (("a", 3), ("b", 3))
    (found,) = stats.summarize(store).contrasts
    assert found.outcome == "not resolved"
    assert found.level == kept.race.last_looks["b", "a"][0].level


def test_equivalence_comes_from_the_look_too(tmp_path):
    same = (0.50, 0.51, 0.49, 0.50, 0.50, 0.51)
    store = grown(tmp_path, {"a": same, "b": same})
    stores.write_study(tmp_path, dataclasses.replace(store.study(), margin=20.0))
    kept = finish(store, 6, margin=0.2)
    assert kept.race.last_looks["b", "a"][0].decision == "equivalent"
    (found,) = stats.summarize(store).contrasts
    assert found.outcome == "equivalent"
    assert found.within_margin
    assert -0.2 < found.equivalence.low < found.equivalence.high < 0.2


def test_a_failed_run_is_no_pair_and_is_not_waited_for(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.5, 0.5), "b": (Failure("the training loss became nan", 1), 0.9, 0.9)})
    kept = finish(store, 3, end="most seeds")
    assert kept.race.needed == ()
    assert kept.race.last_looks["b", "a"][0].n == 2
    assert stats.summarize(store).contrasts[0].difference.n == 2


def test_how_a_race_ended_is_told(tmp_path):
    store = grown(tmp_path, FAR)
    kept = dataclasses.replace(finish(store, 20), n_runs=6)
    n = dict(kept.race.stopped)["b"]
    assert race.told(kept) == [
        f"b against a was settled after {n} seeds: b is better.",
        f"a has no more runs after {n} seeds, because all its comparisons were settled.",
        f"b has no more runs after {n} seeds, because all its comparisons were settled.",
        "34 of 40 runs were saved.",
    ]
    assert race.look_told(kept, len(kept.race.looks) - 1) == race.told(kept)[0]
    assert race.look_told(kept, 0) in ("after 3 seeds 1 difference is open", race.told(kept)[0])
    limited = dataclasses.replace(kept, budget="30m", used=1700.0, left=100.0, end="budget")
    assert race.told(limited)[-1] == (
        "Of the budget of 30m, 1,700 s are used and 100 s are left, too few for the 0 runs of the next analysis."
    )
    assert limited.n_saved == 0
    under_way = dataclasses.replace(kept, end="under way")
    assert "Not finished: the next analysis needs" in race.told(under_way)[-1]
