"""events.jsonl: what a run leaves in it, and what readers make of a torn one."""

import csv
import json

from commongarden.records import Epoch
from commongarden.records import event_log as lines
from commongarden.records.event_log import RunName
from commongarden.store import event_log
from commongarden.store.event_log import Tail
from commongarden.view.curve_rows import rows
from commongarden.view.progress import Progress


def test_a_study_says_in_it_what_its_store_holds(finished):
    """Two arms, two seeds, three epochs, as history.csv and run.json have them."""
    found = [json.loads(line) for line in (finished / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in found][0 :: len(found) - 1] == ["begun", "ended"]
    assert sorted(line["time"] for line in found) == [line["time"] for line in found]
    progress = Progress()
    progress.take(Tail(finished).read())
    assert set(progress.epochs) == {RunName(arm, seed) for arm in ("plain", "residual") for seed in (0, 1)}
    for run, epochs in progress.epochs.items():
        folder = finished / "runs" / run.arm / str(run.seed)
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(one.epoch, one.val_loss) for one in epochs] == [
            (int(row["epoch"]), float(row["val_loss"])) for row in rows
        ]
        record = json.loads((folder / "run.json").read_bytes())
        assert progress.done[run].test_accuracy == record["test_accuracy"]
    assert progress.ended is not None
    assert not progress.under_way
    assert progress.begun.device == "cpu"


def test_a_torn_last_line_is_left_out_until_it_is_whole(tmp_path):
    tail, path = Tail(tmp_path), tmp_path / "events.jsonl"
    assert not tail.has_more()
    assert tail.read() == []
    with event_log.open_to_append(tmp_path) as file:
        event_log.append(file, lines.Begun(1.0, 7, "here"))
        event_log.append(file, lines.Note(2.0, "두 줄"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert [type(line) for line in tail.read()] == [lines.Begun]
    assert tail.read() == []
    path.write_bytes(whole)
    assert tail.read() == [lines.Note(2.0, "두 줄")]
    assert not tail.has_more()


def test_a_killed_process_costs_the_next_one_no_line(tmp_path):
    with event_log.open_to_append(tmp_path) as file:
        event_log.append(file, lines.Note(1.0, "whole"))
        file.write(b'{"event":"note","time":2.0,"te')
    with event_log.open_to_append(tmp_path) as file:
        event_log.append(file, lines.Note(3.0, "next"))
        file.write(b'{"event":"of a later version","time":4.0}\n\xff\xfe\nnull\n[1]\n')
        event_log.append(file, lines.Ended(5.0))
    assert Tail(tmp_path).read() == [lines.Note(1.0, "whole"), lines.Note(3.0, "next"), lines.Ended(5.0)]


def test_a_file_that_is_replaced_is_read_from_its_begin(tmp_path):
    tail = Tail(tmp_path)
    with event_log.open_to_append(tmp_path) as file:
        event_log.append(file, lines.Note(1.0, "one that is longer than the next one"))
    assert tail.read()
    assert not tail.is_new
    (tmp_path / "events.jsonl").write_bytes(b'{"event":"note","time":2.0,"text":"other"}\n')
    assert tail.read() == [lines.Note(2.0, "other")]
    assert tail.is_new


def test_curves_are_those_of_tuning_until_the_first_run(tmp_path):
    progress, epoch = Progress(), Epoch(1, 1.5, 0.4, 1.6, 0.375, 1e-3, 0.1, 0.1, 0.1, 0.1)
    trial, run = RunName("plain", 0, "trial", 2), RunName("plain", 0)
    progress.take([lines.Started(1.0, trial), lines.EpochEnded(2.0, trial, epoch, 9.0)])
    assert [(row["run"], row["val_accuracy"]) for row in rows(progress)] == [("plain, tuning run 3", 37.5)]
    progress.take([lines.RunEnded(3.0, trial, "finished"), lines.Started(4.0, run)])
    assert rows(progress) == []
    progress.take([lines.EpochEnded(5.0, run, epoch, 9.0)])
    assert [row["run"] for row in rows(progress)] == ["plain, seed 0"]
