"""A study that a person steers while it runs, and its page beside the run."""

import json

import pytest

import commongarden as cg
from commongarden.runner import requests, steering
from commongarden.runner.events import EpochDone, Started
from commongarden.runner.observers import Observer
from commongarden.runner.options import RunOptions
from commongarden.study import read
from running import numbers
from viewed import asked

pytest.importorskip("starlette", reason="the extra 'view' is not installed: pip install '.[view]'")
pytest.importorskip("uvicorn", reason="the extra 'view' is not installed: pip install '.[view]'")


class Person(Observer):
    """Does something once, at the first event of a kind."""

    def __init__(self, kind, act):
        self.kind, self.act, self.has_acted = kind, act, False

    def take(self, event):
        if isinstance(event, self.kind) and not self.has_acted:
            self.has_acted = True
            self.act()


def test_a_study_is_stopped_after_an_epoch_then_without_a_model_then_with_it(
    study_file, finished, tmp_path, cache_folder, monkeypatch
):
    """With the bits of a study that nobody touched; the page is served beside the first run, and ends with it."""
    from commongarden.view.run_page import RunPage

    monkeypatch.setattr(requests, "ASKED", 0.0)
    study, out, seen = read(str(study_file)), tmp_path / "out", []
    options = RunOptions(cache_dir=cache_folder, n_workers=1, maps=False)

    def run(*observers):
        return cg.run(study, out, options, observers=observers)[1]

    page = RunPage(lambda address: seen.append((address, asked(address, "/study/out")[0])))
    outcome = run(page, Person(Started, lambda: steering.stop(out, after_epoch=True)))
    ((address, status),) = seen
    assert status == 200
    page.end_page()
    with pytest.raises(OSError, match="refused"):
        asked(address)
    assert outcome.interrupted
    begun = [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(line["event"] == "epoch" for line in begun) >= 1
    assert [line["what"] for line in begun if line["event"] == "decided"] == ["stop-after-epoch"]

    outcome = run(Person(EpochDone, lambda: steering.drop(out, "residual")))
    assert (outcome.n_finished, outcome.n_missing, outcome.interrupted) == (2, 0, False)
    assert [run.arm for run in outcome.store.runs()] == ["plain", "plain"]
    assert "a person dropped this model" in (out / "report.html").read_text(encoding="utf-8")
    with pytest.raises(cg.CommonGardenError, match="has all its runs"):
        steering.drop(out, "plain")
    with pytest.raises(cg.CommonGardenError, match="did you mean 'residual'"):
        steering.drop(out, "residul")

    assert not steering.drop(out, "residual", undo=True)
    assert run().n_missing == 0
    assert numbers(out) == numbers(finished)
    assert "a person dropped" not in (out / "report.html").read_text(encoding="utf-8")
