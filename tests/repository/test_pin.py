"""The script that proves that a refactoring changes nothing: what it compares, and what it replaces."""

import csv
import json
import subprocess
import sys

import pytest

from paths import ROOT

SCRIPTS = ROOT / "scripts"
RUN = """{
 "arm": "plain",
 "recipe": {
  "lr": 1e12,
  "weight_decay": 0.0
 },
 "started": "2026-11-30T06:52:43+00:00",
 "seconds_test": 0.125,
 "inference_ms": null,
 "peak_memory_bytes": 466706432,
 "test_loss": 1.65
}"""


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from pinned import rules

    return rules


@pytest.fixture
def stores(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name / "records").mkdir(parents=True)
        (tmp_path / name / "environment.txt").write_text("one machine\n")
        (tmp_path / name / "records" / "run.txt").write_text("lr 0.1\nepochs 2\n")
    return tmp_path


def compare(folder):
    command = [sys.executable, SCRIPTS / "pin.py", "compare", "old", "new"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")


def test_equal_stores_do_not_differ(stores):
    result = compare(stores)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "no difference")


def test_differences_are_named_by_kind(stores):
    (stores / "new" / "records" / "run.txt").write_text("lr 0.2\nepochs 2\n")
    (stores / "new" / "records" / "more.txt").write_text("")
    result = compare(stores)
    assert result.returncode == 1
    assert "records: 2 files, 2 differ" in result.stdout
    assert "records/more.txt: only in NEW" in result.stdout
    assert "-lr 0.1" in result.stdout
    assert "+lr 0.2" in result.stdout
    assert "epochs" not in result.stdout


def test_only_what_was_measured_is_replaced(rules):
    found = rules.steady_json(RUN, "runs/plain/0/run.json", "demo", is_even=False)
    assert '"lr": 1e12,' in found  # as it was written
    before, after = json.loads(RUN), json.loads(found)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"started", "seconds_test", "peak_memory_bytes"}
    assert all(type(before[key]) is type(after[key]) for key in before)
    assert rules.steady_json(RUN, "runs/plain/0/run.json", "demo", is_even=False) == found
    assert rules.steady_json(RUN, "runs/plain/1/run.json", "demo", is_even=False) != found


def test_times_of_an_arm_are_equal_where_that_is_asked_for(rules):
    one, two = (rules.steady_json(RUN, f"runs/plain/{seed}/run.json", "demo", is_even=True) for seed in (0, 1))
    assert one == two
    assert rules.steady_json(RUN, "runs/other/0/run.json", "demo", is_even=True) != one


def test_a_style_that_is_not_known_is_refused(rules):
    with pytest.raises(ValueError, match="style"):
        rules.steady_json(RUN.replace(": ", " : "), "runs/plain/0/run.json", "demo", is_even=False)


def test_columns_of_seconds_are_replaced(rules):
    text = "epoch,train_loss,seconds_data\n1,0.5,0.25\n2,0.4,0.25\n"
    rows = list(csv.DictReader(rules.steady_csv(text, "runs/plain/0/history.csv", "demo", is_even=False).splitlines()))
    assert [(row["epoch"], row["train_loss"]) for row in rows] == [("1", "0.5"), ("2", "0.4")]
    assert len({row["seconds_data"] for row in rows} | {"0.25"}) == 3


def test_a_log_keeps_all_but_the_clock(rules):
    log = "reading photos: 3 of 90\nreading photos: 90 of 90\nplain: epoch 1/2, cost 1.2, 210 images/s; 3 s left\n"
    steady = "reading photos: 90 of 90\nplain: epoch 1/2, cost 1.2, N images/s; T left\n"
    assert rules.steady_log(log) == steady


def test_every_rule_has_its_reason(rules):
    assert all(rule.reason for rule in (*rules.MEASURED, *rules.UNPINNED, *rules.TIMED, *rules.LOG))
